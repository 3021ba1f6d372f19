"""Reports: write, sign, read, add to, list, and verify."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from classifier.assistant.report_section import choices
from classifier.models import Report, Scan, SignedReport
from classifier.models.report import TEXTS
from classifier.reports.html import draft_view, fragment, signed_view
from classifier.reports.pdf import for_pages
from classifier.selectors.report import (
    draft_of,
    draft_reports,
    explanation_in,
    get_own_report,
    get_signed_report,
    own_report_of_result,
    report_templates,
    signed_reports,
    verify_report,
)
from classifier.selectors.report_archive import report_archives
from classifier.selectors.report_facts import facts_hash, scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Sealed, ServiceError
from classifier.services.report import add_addendum, delete_draft, save_draft, sign_report
from classifier.services.report_template import filled_texts
from classifier.text_changes import changes
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.kept_entry import given_back, take_entry
from classifier.web.report_forms import AddendumForm, PatientForm, ReportForm, VerifyForm

# Newer ones are what people look for; the scan's page leads to the rest.
LISTED = 50


@require_safe
def report_list(request: SignedInRequest) -> HttpResponse:
    """List the user's drafts, the newest signed reports, and the user's ZIP files."""
    return list_page(request, PatientForm())


def list_page(request: SignedInRequest, patient_form: PatientForm, *, status: int = 200) -> HttpResponse:
    """Return the list of reports with the form that leads to the scans of a patient."""
    context = {
        "drafts": draft_reports(request.user)[:LISTED],
        "signed": signed_reports(request.user)[:LISTED],
        "archives": report_archives(request.user)[:LISTED],
        "listed": LISTED,
        "patient_form": patient_form,
    }
    return render(request, "reports/list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def report_compose(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Write the report of a scan: save the draft, go on to sign it, or delete it."""
    scan = scan_or_404(request, scan_id)
    if scan.sealed:
        return _sealed(request, scan)
    draft = draft_of(request.user, scan)
    if request.method != "POST":
        entered = take_entry(request)
        form = initial_form(request, scan, draft) if entered is None else given_back(ReportForm(entered))
        return compose_page(request, scan, draft, form)
    if request.POST.get("action") == "delete" and draft is not None:
        delete_draft(draft, by=request.user)
        messages.success(request, "The draft was deleted.")
        return redirect(scan)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return compose_page(request, scan, draft, form, status=400)
    try:
        saved = save_draft(scan, by=request.user, texts=form.texts, seen=form.cleaned_data["version"])
    except ServiceError as error:
        form.add_error(None, str(error))
        return compose_page(request, scan, draft, form, status=409 if isinstance(error, Conflict) else 400)
    if request.POST.get("action") == "sign":
        return redirect("web:report_sign", saved.pk)
    messages.success(request, "The draft is saved.")
    return redirect("web:report_compose", scan.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def report_sign(request: SignedInRequest, report_id: UUID) -> HttpResponse:
    """Show the report as it will be signed; sign it."""
    report = _own_report_or_404(request, report_id)
    if report.state == Report.State.SIGNED:
        return redirect(report)
    if request.method == "POST":
        try:
            sign_report(
                report,
                by=request.user,
                seen=_number(request.POST.get("version", "")),
                seen_facts=request.POST.get("facts", ""),
            )
        except ServiceError as error:
            messages.error(request, str(error))
            return redirect(request.path)
        messages.success(request, "The report is signed.")
        return redirect(report)
    scan = get_scan(request.user, report.scan_id)
    if scan.sealed:
        return _sealed(request, scan)
    context = {
        "report": report,
        "scan": scan,
        "fragment": fragment(draft_view(report, scan, user=request.user)),
        "facts_hash": facts_hash(scan_facts(request.user, scan)),
    }
    return render(request, "reports/sign.html", context)


@require_safe
def report(request: SignedInRequest, report_id: UUID) -> HttpResponse:
    """Show a signed report. The author of a draft continues to edit it."""
    try:
        signed = get_signed_report(request.user, report_id)
    except SignedReport.DoesNotExist:
        draft = _own_report_or_404(request, report_id)
        return redirect("web:report_compose", draft.scan_id)
    return _signed_page(request, signed, AddendumForm())


@require_http_methods(["GET", "HEAD", "POST"])
def report_addendum(request: SignedInRequest, report_id: UUID) -> HttpResponse:
    """Add to a signed report."""
    signed = signed_report_or_404(request, report_id)
    if request.method != "POST":
        # The sign-in page leads here after a session that ended.
        entered = take_entry(request)
        return redirect(signed) if entered is None else _signed_page(request, signed, given_back(AddendumForm(entered)))
    form = AddendumForm(request.POST)
    if form.is_valid():
        try:
            add_addendum(signed, by=request.user, text=form.cleaned_data["text"], seen=form.cleaned_data["seen"])
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The addendum is stored.")
            return redirect(signed)
    return _signed_page(request, signed, form, status=400)


@require_safe
def report_verify(request: SignedInRequest) -> HttpResponse:
    """Tell whether a report with this number or hash was signed here, by whom and when; nothing of its content."""
    form = VerifyForm(request.GET if "code" in request.GET else None)
    found = verify_report(form.cleaned_data["code"]) if form.is_valid() else None
    return render(request, "reports/verify.html", {"form": form, "found": found})


def signed_report_or_404(request: SignedInRequest, report_id: UUID) -> SignedReport:
    """Return a signed report that the user may read; raise 404 for any other."""
    try:
        return get_signed_report(request.user, report_id)
    except SignedReport.DoesNotExist as error:
        raise Http404("There is no such report.") from error


def _own_report_or_404(request: SignedInRequest, report_id: UUID) -> Report:
    try:
        return get_own_report(request.user, report_id)
    except Report.DoesNotExist as error:
        raise Http404("There is no such report.") from error


def _sealed(request: SignedInRequest, scan: Scan) -> HttpResponse:
    messages.warning(request, str(Sealed()))
    return redirect(scan)


def initial_form(request: SignedInRequest, scan: Scan, draft: Report | None) -> ReportForm:
    """Return the form of the draft. A chosen template fills the texts that are empty."""
    texts = dict.fromkeys(TEXTS, "") if draft is None else draft.texts
    chosen = _number(request.GET.get("template", ""))
    template = report_templates(request.user).filter(pk=chosen).first() if chosen else None
    if template is not None:
        filled = filled_texts(template, facts=scan_facts(request.user, scan), author=request.user)
        texts = {name: text or filled[name] for name, text in texts.items()}
    return ReportForm(initial={**texts, "version": 0 if draft is None else draft.version})


def compose_page(
    request: SignedInRequest,
    scan: Scan,
    draft: Report | None,
    form: ReportForm,
    *,
    status: int = 200,
    section: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the page on which a report is written.

    Args:
        request: of the author.
        scan: that the report is about.
        draft: the author's draft; None before the first save.
        form: the texts.
        status: of the response.
        section: `error` and `typed` of an edit of the explanation that was refused.
    """
    explanation = None if draft is None else explanation_in(draft)
    edited = explanation is not None and explanation.is_edited
    context = {
        "explanation": explanation,
        "explanation_changes": changes(explanation.original, explanation.text) if explanation and edited else (),
        "explanation_choices": choices(request.user, scan),
        "can_explain": scan.current_analysis is not None and bool(scan.current_analysis.outcome),
        "section": section,
        "scan": scan,
        "draft": draft,
        "form": form,
        "templates": report_templates(request.user),
        "signed": signed_reports(request.user).filter(scan=scan),
        "is_done": draft is None and own_report_of_result(request.user, scan) is not None,
    }
    return render(request, "reports/compose.html", context, status=status)


def _signed_page(
    request: SignedInRequest, signed: SignedReport, form: AddendumForm, *, status: int = 200
) -> HttpResponse:
    # A reader of a report often wants its PDF file next.
    for_pages.warm_up()
    view = signed_view(signed, get_scan(request.user, signed.scan_id))
    if not form.is_bound:
        form.initial["seen"] = len(view.addenda)
    context = {"report": signed, "scan": signed.scan, "fragment": fragment(view), "form": form}
    return render(request, "reports/report.html", context, status=status)


def _number(text: str) -> int:
    """Return a whole number that was sent by a page; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
