"""Notifications in words. They contain no patient data and no result."""

from classifier.models import Notification, ReportArchive

Kind = Notification.Kind
FILES = {
    ReportArchive.Kind.ZIP.value: "Your ZIP file of reports",
    ReportArchive.Kind.REPORT.value: "The PDF file of your report",
    ReportArchive.Kind.SUMMARY.value: "The PDF file of your table of scans",
    ReportArchive.Kind.ACCEPTANCE.value: "The PDF file of your acceptance report",
}


def text(row: Notification) -> str:
    """Return the notification as a sentence."""
    details = row.details
    person = row.actor.display_name if row.actor else "Somebody"
    if row.kind == Kind.BATCH_DONE:
        files, failed, refused = (int(details.get(name, 0)) for name in ("files", "failed", "refused"))
        words = [f"{failed} failed"] * bool(failed) + [f"{refused} refused"] * bool(refused)
        return f"Your upload of {_files(files)} is analyzed{': ' + ', '.join(words) if words else ''}."
    if row.kind == Kind.RETRY_DONE:
        retried, failed = (int(details.get(name, 0)) for name in ("retried", "failed"))
        ended = f"{failed} failed" if failed else "none failed"
        return f"The retry of {_files(retried)} of an upload is finished: {ended}."
    if row.kind == Kind.FAILED:
        return "The analysis of a scan failed."
    if row.kind == Kind.REVIEWED:
        return f"{person} reviewed one of your scans."
    if row.kind == Kind.DIAGNOSIS:
        return f"{person} recorded a confirmed diagnosis for one of your scans."
    if row.kind == Kind.ARCHIVE_DONE:
        ended = "could not be created" if details.get("failed") else "is ready"
        return f"{FILES.get(details.get('kind', ''), 'Your file of reports')} {ended}."
    return (
        f"The model {details.get('model', '')} changed from version {details.get('before', '')} to "
        f"{details.get('version', '')}."
    )


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def subject(row: Notification) -> str:
    """Return the subject of the e-mail."""
    return f"BrainScan: {Kind(row.kind).label.lower()}"
