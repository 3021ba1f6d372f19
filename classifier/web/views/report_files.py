"""Reports as files, the tables of patients and batches, and ZIP files of many reports."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier import report_files
from classifier.models import Batch, ReportArchive, Scan
from classifier.reports.html import document, scan_report, signed_view
from classifier.reports.pdf import PdfFailed, PdfTimeout
from classifier.reports.summary import summary_document, summary_of
from classifier.selectors.commissioning import commissionings_of
from classifier.selectors.report import get_batch_scans, report_archives, scans_of_patient
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services.errors import ServiceError
from classifier.services.report_archive import MAX_SCANS, delete_archive, open_archive, request_archive
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.views.reports import signed_report_or_404

# One page of a summary takes a tenth of a second; a longer table belongs in a ZIP file.
SUMMARY_SCANS = 100
SLOW = "Creating the file takes longer than a page can wait. It continues in the background."
FAILED = (
    "This server could not create the PDF file. Open the report as a page and print that. Contact your administrator."
)
CHANGED = "A scan in this ZIP file was deleted or is no longer visible to you. Request the file again."
LEFT_TEAM = "You are no longer a member of the team whose acceptance report this is."


@require_safe
def scan_report_file(request: SignedInRequest, scan_id: UUID, kind: str) -> HttpResponse:
    """Return the valid report of a scan: the newest signed one, else the current facts."""
    scan = scan_or_404(request, scan_id)
    try:
        page = document(scan_report(request.user, scan))
    except ServiceError as error:
        messages.warning(request, str(error))
        return redirect(scan)
    return _file(request, page, name=f"scan-{scan.short_id}", kind=kind, scans=[scan])


@require_safe
def report_file(request: SignedInRequest, report_id: UUID, kind: str) -> HttpResponse:
    """Return a signed report as a file."""
    signed = signed_report_or_404(request, report_id)
    scan = get_scan(request.user, signed.scan_id)
    return _file(request, document(signed_view(signed, scan)), name=signed.number, kind=kind, scans=[scan])


@require_safe
def patient_report(request: SignedInRequest, kind: str = "") -> HttpResponse:
    """Show the scans of a patient in one table, or return it as a file."""
    reference = " ".join(request.GET.get("patient_reference", "").split())
    if not reference:
        raise Http404("Enter a patient reference.")
    scans = scans_of_patient(request.user, reference, limit=MAX_SCANS + 1)
    if not scans:
        raise Http404("There is no scan with this patient reference.")
    pdf_url = f"{reverse('web:patient_report_file', args=['pdf'])}?{urlencode({'patient_reference': reference})}"
    choice = {"patient_reference": reference}
    return _summary(request, scans, title=f"Patient {reference}", kind=kind, choice=choice, pdf_url=pdf_url)


@require_safe
def batch_report(request: SignedInRequest, batch_id: UUID, kind: str = "") -> HttpResponse:
    """Show the scans of a batch in one table, or return it as a file."""
    batch, scans = _batch_or_404(request, batch_id)
    pdf_url = reverse("web:batch_report_file", args=[batch.pk, "pdf"])
    title = f"Batch {str(batch.pk)[:8]}"
    return _summary(request, scans, title=title, kind=kind, choice={"batch": str(batch.pk)}, pdf_url=pdf_url)


@require_POST
def archive_request(request: SignedInRequest) -> HttpResponse:
    """Request the reports of a patient, a batch, or of chosen scans as one ZIP file."""
    title, scans, back = _chosen(request)
    try:
        archive = request_archive(request.user, scans, title=title)
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
    if archive.state != ReportArchive.State.SUCCEEDED:
        return redirect(archive)
    if missing := _no_longer_visible(request, archive):
        messages.error(request, missing)
        return redirect(archive)
    try:
        file = open_archive(archive)
    except FileNotFoundError as error:
        raise Http404("The file was removed.") from error
    is_zip = archive.commissioning_id is None
    name = f"reports-{slugify(archive.title) or 'scans'}.zip" if is_zip else f"{slugify(archive.title)}.pdf"
    kind = "application/zip" if is_zip else "application/pdf"
    response = FileResponse(file, as_attachment=True, filename=name, content_type=kind)
    response["Cache-Control"] = "private, no-store"
    return response  # type: ignore[return-value]


def _no_longer_visible(request: SignedInRequest, archive: ReportArchive) -> str:
    """Return why the user may not have a file any more; "" if they may."""
    if archive.commissioning_id is not None:
        found = commissionings_of(request.user).filter(pk=archive.commissioning_id)
        return "" if found.exists() else LEFT_TEAM
    inside = [scan_id for scan_id in archive.scan_ids if scan_id not in archive.left_out]
    return "" if visible_scans(request.user).with_keys(inside).count() == len(inside) else CHANGED


def _file(request: SignedInRequest, page: str, *, name: str, kind: str, scans: Sequence[Scan]) -> HttpResponse:
    if kind == "html":
        return report_files.html_response(page, filename=f"report-{name}.html")
    try:
        return report_files.pdf_response(page, filename=f"report-{name}.pdf")
    except PdfTimeout:
        return _in_background(request, scans, name=name)
    except PdfFailed:
        messages.error(request, FAILED)
        return redirect("web:report_list")


def _in_background(request: SignedInRequest, scans: Sequence[Scan], *, name: str) -> HttpResponse:
    try:
        archive = request_archive(request.user, scans, title=name)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect("web:report_list")
    messages.info(request, SLOW)
    return redirect(archive)


def _summary(
    request: SignedInRequest, scans: Sequence[Scan], *, title: str, kind: str, choice: dict[str, str], pdf_url: str
) -> HttpResponse:
    cut = len(scans) > SUMMARY_SCANS
    summary = summary_of(request.user, scans[:SUMMARY_SCANS], title=title, is_cut=cut)
    if kind:
        return _file(request, summary_document(summary), name=slugify(title), kind=kind, scans=scans[:MAX_SCANS])
    context = {
        "summary": summary,
        "choice": choice,
        "is_page": True,
        "pdf_url": pdf_url,
    }
    return render(request, "reports/summary.html", context)


def _chosen(request: SignedInRequest) -> tuple[str, list[Scan], str]:
    """Return a title, the chosen scans, and the page to go back to. More scans than are allowed are counted, too."""
    reference = " ".join(request.POST.get("patient_reference", "").split())
    if reference:
        scans = scans_of_patient(request.user, reference, limit=MAX_SCANS + 1)
        return f"Patient {reference}", scans, "web:report_list"
    if request.POST.get("batch"):
        try:
            batch, scans = _batch_or_404(request, UUID(request.POST["batch"]))
        except ValueError as error:
            raise Http404("There is no such batch.") from error
        return f"Batch {str(batch.pk)[:8]}", scans, "web:report_list"
    try:
        wanted = [UUID(value) for value in request.POST.getlist("scan")]
    except ValueError as error:
        raise Http404("There is no such scan.") from error
    chosen = visible_scans(request.user).with_keys(wanted)
    return "Selected scans", sorted(chosen, key=lambda scan: (scan.created_at, scan.pk), reverse=True), "web:history"


def _batch_or_404(request: SignedInRequest, batch_id: UUID) -> tuple[Batch, list[Scan]]:
    try:
        batch, scans = get_batch_scans(request.user, batch_id)
    except Batch.DoesNotExist as error:
        raise Http404("There is no such batch.") from error
    return batch, list(scans)


def _archive_or_404(request: SignedInRequest, archive_id: UUID) -> ReportArchive:
    try:
        return report_archives(request.user).get(pk=archive_id)
    except ReportArchive.DoesNotExist as error:
        raise Http404("There is no such file.") from error
