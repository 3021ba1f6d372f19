"""Acceptance reports: as files, and those of several sites side by side."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from classifier import report_files
from classifier.acceptance.side_by_side import MAX_REPORTS, side_by_side
from classifier.acceptance.signature import MAX_BYTES, SignedFile, UnusableReport, fingerprint_of, read_signed
from classifier.models import AcceptanceReport
from classifier.reports.acceptance import acceptance_document
from classifier.reports.pdf import PdfFailed, PdfTimeout
from classifier.selectors.acceptance import acceptance_of
from classifier.services.acceptance import public_key
from classifier.services.errors import ServiceError
from classifier.services.report_request import request_acceptance_file
from classifier.web.http import SignedInRequest
from classifier.web.views.commissioning import commissioning_or_404
from classifier.web.views.report_files import FAILED, SLOW

NOT_CLOSED = "The report is created when an owner closes the commissioning."


@require_safe
def acceptance_file(request: SignedInRequest, commissioning_id: UUID, kind: str) -> HttpResponse:
    """Return the report of a closed commissioning as a PDF file, or as an HTML document of its own."""
    shown = commissioning_or_404(request, commissioning_id)
    report = acceptance_of(shown)
    if report is None:
        messages.warning(request, NOT_CLOSED)
        return redirect(shown)
    name = f"acceptance-{shown.short_id}"
    document = acceptance_document(report)
    if kind == "html":
        return report_files.html_response(document, filename=f"{name}.html")
    try:
        return report_files.pdf_response(document, filename=f"{name}.pdf")
    except PdfTimeout:
        return _in_background(request, report)
    except PdfFailed:
        messages.error(request, FAILED)
        return redirect(shown)


def _in_background(request: SignedInRequest, report: AcceptanceReport) -> HttpResponse:
    try:
        archive = request_acceptance_file(request.user, report)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect(report.commissioning)
    if not archive.is_finished:
        messages.info(request, SLOW)
    return redirect(archive)


@require_safe
def acceptance_json(request: SignedInRequest, commissioning_id: UUID) -> HttpResponse:
    """Return the signed report of a closed commissioning, to keep or to send to another site."""
    shown = commissioning_or_404(request, commissioning_id)
    report = acceptance_of(shown)
    if report is None:
        messages.warning(request, NOT_CLOSED)
        return redirect(shown)
    return _signed_file(report.signed, name=f"acceptance-{shown.short_id}")


def _signed_file(signed: dict[str, object], *, name: str) -> HttpResponse:
    return HttpResponse(
        json.dumps(signed, indent=1, ensure_ascii=False),
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.json"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def acceptance_compare(request: SignedInRequest) -> HttpResponse:
    """Show the signed reports of several sites side by side. Nothing is stored."""
    read: list[tuple[str, SignedFile]] = []
    refused = []
    files = request.FILES.getlist("files")
    for file in files[:MAX_REPORTS]:
        name = (file.name or "file")[:80]
        try:
            read.append((name, read_signed(file.read(MAX_BYTES + 1))))
        except UnusableReport as error:
            refused.append(f"{name}: {error}")
    refused += [f"{(file.name or 'file')[:80]}: at most {MAX_REPORTS} files at once." for file in files[MAX_REPORTS:]]
    if request.method == "POST" and not files:
        refused.append("Choose at least one file.")
    context = {
        "max_files": MAX_REPORTS,
        "fingerprint": fingerprint_of(public_key()),
        "table": side_by_side(read) if read else None,
        "refused": refused,
    }
    return render(request, "web/acceptance_compare.html", context, status=400 if refused and not read else 200)
