"""Jobs that make one PDF file: a report, a table of scans, or an acceptance report."""

import structlog

from classifier.models import ReportArchive, Scan, SignedReport, User
from classifier.reports.acceptance import acceptance_document
from classifier.reports.html import content_hash, document, scan_report, signed_view
from classifier.reports.pdf import JOB_SECONDS, PdfFailed, PdfTimeout, for_jobs
from classifier.reports.summary import SUMMARY_SCANS, summary_document, summary_of
from classifier.selectors.acceptance import acceptance_of
from classifier.selectors.commissioning import commissionings_of
from classifier.selectors.report import get_signed_report
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services.errors import Sealed

logger = structlog.get_logger(__name__)

Kind = ReportArchive.Kind
LEFT_TEAM = "The file was not created: you are no longer a member of the team."
GONE = "The file was not created: the scan was deleted, or is no longer visible to you."
SEALED = "The file was not created: the scan is sealed until you record your impression."
UNMADE = "The server could not create the PDF file. Open the report as a page and print that. Tell your administrator."


class Unmade(Exception):
    """There will be no file; the message is for people."""


def pdf_of(archive: ReportArchive) -> bytes:
    """Return the PDF file of a job.

    If a report says something else by now than when it was requested, `archive.content_sha256` becomes "".

    Raises:
        Unmade: if there is none.
    """
    page = {Kind.REPORT: _report, Kind.SUMMARY: _summary, Kind.ACCEPTANCE: _acceptance}[Kind(archive.kind)](archive)
    try:
        return for_jobs.render(page, seconds=JOB_SECONDS)
    except (PdfTimeout, PdfFailed) as error:
        logger.error("pdf_unmade", archive=str(archive.pk), error=repr(error))
        raise Unmade(UNMADE) from error


def _report(archive: ReportArchive) -> str:
    user = archive.owner
    try:
        scan = get_scan(user, archive.scan_ids[0])
        if archive.signed_report_id is None:
            view = scan_report(user, scan)
        else:
            view = signed_view(get_signed_report(user, archive.signed_report_id), scan)
    except (Scan.DoesNotExist, SignedReport.DoesNotExist) as error:
        raise Unmade(GONE) from error
    except Sealed as error:
        raise Unmade(SEALED) from error
    if content_hash(view) != archive.content_sha256:
        archive.content_sha256 = ""
    return document(view)


def _summary(archive: ReportArchive) -> str:
    return summary_page(
        archive.owner,
        archive.scan_ids[:SUMMARY_SCANS],
        title=archive.title,
        is_cut=len(archive.scan_ids) > SUMMARY_SCANS,
    )


def summary_page(user: User, scan_ids: list[str], *, title: str, is_cut: bool = False) -> str:
    """Return the table of scans in their order, as a document. Scans that the user cannot see are left out."""
    scans = {str(scan.pk): scan for scan in visible_scans(user).with_keys(scan_ids)}
    rows = [scans[scan_id] for scan_id in scan_ids if scan_id in scans]
    return summary_document(summary_of(user, rows, title=title, is_cut=is_cut))


def _acceptance(archive: ReportArchive) -> str:
    assert archive.commissioning_id is not None
    found = commissionings_of(archive.owner).filter(pk=archive.commissioning_id).first()
    report = None if found is None else acceptance_of(found)
    if report is None:
        raise Unmade(LEFT_TEAM)
    return acceptance_document(report)
