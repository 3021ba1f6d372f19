"""Reports as files, the tables of patients and batches, and ZIP files of many reports."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier import report_files
from classifier.models import Batch, ReportArchive, Scan, SignedReport
from classifier.models.scan import ScanQuerySet
from classifier.reports.html import ReportView, document, scan_report, signed_view
from classifier.reports.pdf import PdfFailed, PdfTimeout
from classifier.reports.summary import SUMMARY_SCANS, summary_document, summary_of
from classifier.selectors.report import get_batch_scans, scans_of_patient
from classifier.selectors.report_archive import report_archives
from classifier.selectors.report_selection import (
    Selection,
    batch_scans,
    chosen_scans,
    listed_scans,
    patient_scans,
)
from classifier.selectors.scan import get_scan
from classifier.services.errors import NotFound, ServiceError
from classifier.services.report_archive import delete_archive
from classifier.services.report_request import MAX_SCANS, request_archive, request_summary_file
from classifier.web.filters import HistoryFilter
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.report_forms import PatientForm
from classifier.web.views.reports import list_page, signed_report_or_404

HISTORY = "history"
NO_FILTERS = ("selection", "csrfmiddlewaretoken")
"""Fields of the form in the history that are no filters."""
SLOW = "Creating the file takes longer than a page can wait. It continues in the background."
FAILED = (
    "This server could not create the PDF file. Open the report as a page and print that. Contact your administrator."
)


@require_safe
def scan_report_file(request: SignedInRequest, scan_id: UUID, kind: str) -> HttpResponse:
    """Return the valid report of a scan: the newest signed one, else the current facts."""
    scan = scan_or_404(request, scan_id)
    try:
        view = scan_report(request.user, scan)
    except ServiceError as error:
        messages.warning(request, str(error))
        return redirect(scan)
    return _report(request, scan, view, name=f"Scan {scan.short_id}", kind=kind)


@require_safe
def report_file(request: SignedInRequest, report_id: UUID, kind: str) -> HttpResponse:
    """Return a signed report as a file."""
    signed = signed_report_or_404(request, report_id)
    scan = get_scan(request.user, signed.scan_id)
    return _report(request, scan, signed_view(signed, scan), name=signed.number, kind=kind, signed=signed)


@require_safe
def patient_report(request: SignedInRequest, kind: str = "") -> HttpResponse:
    """Show the scans of a patient in one table, or return it as a file."""
    form = PatientForm(request.GET)
    reference = " ".join(form.cleaned_data["patient_reference"].split()) if form.is_valid() else ""
    scans = scans_of_patient(request.user, reference, limit=SUMMARY_SCANS + 1)
    if not scans:
        if kind:
            raise Http404("There is no scan with this patient reference.")
        if reference:
            form.add_error("patient_reference", "You can see no scan with this patient reference. Check its spelling.")
        return list_page(request, form, status=404)
    pdf_url = f"{reverse('web:patient_report_file', args=['pdf'])}?{urlencode({'patient_reference': reference})}"
    choice = {"patient_reference": reference}
    return _summary(request, scans, title=f"Patient {reference}", kind=kind, choice=choice, pdf_url=pdf_url)


@require_safe
def batch_report(request: SignedInRequest, batch_id: UUID, kind: str = "") -> HttpResponse:
    """Show the scans of a batch in one table, or return it as a file."""
    batch, scans = _batch_or_404(request, batch_id)
    pdf_url = reverse("web:batch_report_file", args=[batch.pk, "pdf"])
    title = f"Upload {str(batch.pk)[:8]}"
    shown = list(scans[: SUMMARY_SCANS + 1])
    return _summary(request, shown, title=title, kind=kind, choice={"batch": str(batch.pk)}, pdf_url=pdf_url)


@require_POST
def archive_request(request: SignedInRequest) -> HttpResponse:
    """Request the reports of a patient, a batch, scans of the history, or of chosen scans as one ZIP file."""
    selection, back = _chosen(request)
    try:
        archive = request_archive(request.user, selection)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect(back)
    return redirect(archive)


@require_http_methods(["GET", "HEAD", "POST"])
def archive_page(request: SignedInRequest, archive_id: UUID) -> HttpResponse:
    """Show how far a file has come; delete it."""
    archive = _archive_or_404(request, archive_id)
    if request.method == "POST":
        delete_archive(archive)
        messages.success(request, f"The {archive.file_kind} was deleted.")
        return redirect("web:report_list")
    return render(request, "reports/archive.html", {"archive": archive})


@require_safe
def archive_download(request: SignedInRequest, archive_id: UUID) -> HttpResponse:
    """Return a finished file, as long as the user may still see everything in it."""
    archive = _archive_or_404(request, archive_id)
    try:
        return report_files.archive_response(request.user, archive)
    except NotFound as error:
        raise Http404(str(error)) from error
    except ServiceError as error:
        if archive.state == ReportArchive.State.SUCCEEDED:
            messages.error(request, str(error))
        return redirect(archive)


def _report(
    request: SignedInRequest, scan: Scan, view: ReportView, *, name: str, kind: str, signed: SignedReport | None = None
) -> HttpResponse:
    if kind == "html":
        return report_files.html_response(document(view), filename=f"report-{slugify(name)}.html")
    try:
        made = report_files.report_pdf(request.user, scan, view, name=name, signed=signed)
    except PdfFailed:
        messages.error(request, FAILED)
        return redirect("web:report_list")
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect("web:report_list")
    if isinstance(made, ReportArchive):
        messages.info(request, SLOW)
        return redirect(made)
    return made


def _summary(
    request: SignedInRequest, scans: Sequence[Scan], *, title: str, kind: str, choice: dict[str, str], pdf_url: str
) -> HttpResponse:
    cut = len(scans) > SUMMARY_SCANS
    summary = summary_of(request.user, scans[:SUMMARY_SCANS], title=title, is_cut=cut)
    if kind == "html":
        return report_files.html_response(summary_document(summary), filename=f"report-{slugify(title)}.html")
    if kind:
        return _summary_pdf(request, scans, summary_document(summary), title=title)
    context = {
        "summary": summary,
        "choice": choice,
        "is_page": True,
        "pdf_url": pdf_url,
    }
    return render(request, "reports/summary.html", context)


def _summary_pdf(request: SignedInRequest, scans: Sequence[Scan], page: str, *, title: str) -> HttpResponse:
    try:
        return report_files.pdf_response(page, filename=f"report-{slugify(title)}.pdf")
    except PdfFailed:
        messages.error(request, FAILED)
        return redirect("web:report_list")
    except PdfTimeout:
        pass
    try:
        archive = request_summary_file(request.user, [scan.pk for scan in scans], title=title)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect("web:report_list")
    messages.info(request, SLOW)
    return redirect(archive)


def _chosen(request: SignedInRequest) -> tuple[Selection, str]:
    """Return the chosen scans and the page to go back to; of too many scans, one too many."""
    limit = MAX_SCANS + 1
    if request.POST.get("selection") == HISTORY:
        kept = {name: value for name, value in request.POST.items() if value and name not in NO_FILTERS}
        filters = HistoryFilter(request.POST, queryset=Scan.objects.none(), request=request)
        back = f"{reverse('web:history')}?{urlencode(kept)}"
        return listed_scans(filters.scan_list(), limit=limit), back
    if reference := request.POST.get("patient_reference", "").strip():
        return patient_scans(request.user, reference, limit=limit), "web:report_list"
    if request.POST.get("batch"):
        try:
            return batch_scans(request.user, UUID(request.POST["batch"]), limit=limit), "web:report_list"
        except (ValueError, Batch.DoesNotExist) as error:
            raise Http404("There is no such batch.") from error
    try:
        wanted = [UUID(value) for value in request.POST.getlist("scan")]
    except ValueError as error:
        raise Http404("There is no such scan.") from error
    return chosen_scans(request.user, wanted), "web:history"


def _batch_or_404(request: SignedInRequest, batch_id: UUID) -> tuple[Batch, ScanQuerySet]:
    try:
        return get_batch_scans(request.user, batch_id)
    except Batch.DoesNotExist as error:
        raise Http404("There is no such batch.") from error


def _archive_or_404(request: SignedInRequest, archive_id: UUID) -> ReportArchive:
    try:
        return report_archives(request.user).get(pk=archive_id)
    except ReportArchive.DoesNotExist as error:
        raise Http404("There is no such file.") from error
