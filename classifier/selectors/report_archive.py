"""Reads of files of reports that jobs make, scoped to a person."""

from django.db.models import Q, QuerySet

from classifier.models import Analysis, ReportArchive, User
from classifier.models.sealing import OPEN
from classifier.selectors.commissioning import commissionings_of
from classifier.selectors.scan import visible_scans

Kind = ReportArchive.Kind
CHANGED = "A scan in this file was deleted, sealed, or is no longer visible to you. Request the file again."
LEFT_TEAM = "You are no longer a member of the team whose acceptance report this is."


def report_archives(user: User) -> QuerySet[ReportArchive]:
    """Return the user's own files, newest first. The keys of their scans are loaded when they are needed."""
    return ReportArchive.objects.filter(owner=user).defer("scan_ids")


def report_file_of(user: User, content_sha256: str) -> ReportArchive | None:
    """Return the user's file of a report with this content that is ready or being made, if any."""
    return report_archives(user).filter(content_sha256=content_sha256).exclude(state=ReportArchive.State.FAILED).first()


def why_closed(user: User, archive: ReportArchive) -> str:
    """Return why the user may no longer have a file of their own, in a sentence; "" if they may."""
    if archive.commissioning_id is not None:
        found = commissionings_of(user).filter(pk=archive.commissioning_id)
        return "" if found.exists() else LEFT_TEAM
    inside = [scan_id for scan_id in archive.scan_ids if scan_id not in archive.left_out]
    scans = visible_scans(user)
    # A summary lists sealed scans without their result. Of a closed scan without a result there is a report.
    if archive.kind != Kind.SUMMARY:
        scans = scans.filter(OPEN | ~Q(current_analysis__state=Analysis.State.SUCCEEDED))
    return "" if scans.with_keys(inside).count() == len(inside) else CHANGED
