"""Reports as HTTP responses, for pages and API. Callers have read them through a selector for the user."""

from django.http import HttpResponse

from classifier.reports.html import style_source
from classifier.reports.pdf import WEB_SECONDS, for_pages


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


def _private(response: HttpResponse, *, filename: str) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    response["Content-Disposition"] = f'inline; filename="{filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
