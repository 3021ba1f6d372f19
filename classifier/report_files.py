"""Reports as HTTP responses, for pages and API. Callers have read them through a selector for the user."""

import contextlib

from django.http import FileResponse, HttpResponse
from django.utils.text import slugify

from classifier.models import ReportArchive, Scan, SignedReport, User
from classifier.reports.html import ReportView, content_hash, document, style_source
from classifier.reports.pdf import WEB_SECONDS, PdfTimeout, for_pages
from classifier.selectors.report_archive import report_archives, report_file_of, why_closed
from classifier.services.errors import Conflict, NotFound
from classifier.services.report_archive import delete_archive, open_archive
from classifier.services.report_request import request_report_file


def html_response(document: str, *, filename: str) -> HttpResponse:
    """Return a document whose style sheet is inside: the security policy accepts exactly this one."""
    response = HttpResponse(document)
    response._csp_update = {"style-src": [style_source()]}  # type: ignore[attr-defined]  # as django-csp's decorator
    return _private(response, filename=filename)


def pdf_response(document: str, *, filename: str) -> HttpResponse:
    """Return a document as a PDF file.

    Raises:
        PdfTimeout: if the file is not ready after `WEB_SECONDS`. A job makes it instead.
        PdfFailed: if it cannot be made.
    """
    data = for_pages.render(document, seconds=WEB_SECONDS)
    return _private(HttpResponse(data, content_type="application/pdf"), filename=filename)


def report_pdf(
    user: User, scan: Scan, view: ReportView, *, name: str, signed: SignedReport | None = None
) -> HttpResponse | ReportArchive:
    """Return a report as a PDF file, or the job that makes it.

    Args:
        user: The reader.
        scan: The scan, as loaded by a selector for `user`.
        view: The report.
        name: What it is about, for people and for the name of the file.
        signed: The signed report; None means the valid report of the scan.

    Raises:
        PdfFailed: if it cannot be made.
        Conflict: if it takes longer than `WEB_SECONDS`, and the user waits for too many files already.
    """
    earlier = _earlier(user, view)
    if earlier is not None and not earlier.is_finished:
        return earlier
    if earlier is not None:
        with contextlib.suppress(NotFound, Conflict):
            return archive_response(user, earlier, as_attachment=False)
        delete_archive(earlier)
    try:
        return pdf_response(document(view), filename=f"report-{slugify(name)}.pdf")
    except PdfTimeout:
        return request_report_file(user, scan, title=name, content_sha256=content_hash(view), signed=signed)


def archive_response(user: User, archive: ReportArchive, *, as_attachment: bool = True) -> HttpResponse:
    """Return a file that a job has made.

    Args:
        user: The owner.
        archive: As loaded by a selector for `user`.
        as_attachment: Whether browsers store it instead of showing it.

    Raises:
        Conflict: If it is not ready (`unfinished`), or the user may not see everything in it anymore (`changed`).
        NotFound: If it was removed.
    """
    if archive.state != ReportArchive.State.SUCCEEDED:
        raise Conflict(archive.failure_message or "The file is not ready yet.", code="unfinished")
    if reason := why_closed(user, archive):
        raise Conflict(reason, code="changed")
    try:
        file = open_archive(archive)
    except FileNotFoundError as error:
        raise NotFound("The file was removed. Request it again.") from error
    title = slugify(archive.title) or "scans"
    name = f"reports-{title}.zip" if archive.is_zip else f"{title}.pdf"
    if archive.kind in (ReportArchive.Kind.REPORT, ReportArchive.Kind.SUMMARY):
        name = f"report-{title}.pdf"
    kind = "application/zip" if archive.is_zip else "application/pdf"
    response = FileResponse(file, as_attachment=as_attachment, filename=name, content_type=kind)
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response  # type: ignore[return-value]


def _earlier(user: User, view: ReportView) -> ReportArchive | None:
    """Return the user's file with the content of a report, if a job makes it or has made it."""
    if not report_archives(user).filter(kind=ReportArchive.Kind.REPORT).exists():
        return None
    return report_file_of(user, content_hash(view))


def _private(response: HttpResponse, *, filename: str) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    response["Content-Disposition"] = f'inline; filename="{filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
