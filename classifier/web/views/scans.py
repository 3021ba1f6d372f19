"""One scan: its page, and the actions on it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier import wording
from classifier.advice import advice
from classifier.assistant.builtin import Section, explain
from classifier.assistant.facts import facts_of
from classifier.findings import FINDINGS
from classifier.models import Analysis, Scan
from classifier.permissions import CHANGE_REFUSED, can_change
from classifier.selectors.batch import file_of_scan
from classifier.selectors.model import default_model, model_choices, would_repeat
from classifier.selectors.scan import earlier_scan, scan_analyses
from classifier.selectors.team import teams_of
from classifier.services.analysis import cancel_analysis, request_all_models, request_analysis
from classifier.services.errors import ServiceError
from classifier.services.scan import delete_scan, move_scan, update_scan
from classifier.web.assistant_forms import written_of
from classifier.web.confirm import ask, is_confirmed
from classifier.web.forms import ScanFieldsForm
from classifier.web.http import SignedInRequest, analysis_or_404, scan_or_404
from classifier.web.input_check import described
from classifier.web.kept_entry import given_back, take_entry
from classifier.web.progress import progress_of
from classifier.web.reading import reading_of
from classifier.web.reading_forms import ReadingForm
from classifier.web.side_by_side import side_by_side_of


@require_safe
def scan(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Show the result, or the progress of the analysis."""
    return scan_page(request, scan_or_404(request, scan_id))


def scan_page(
    request: SignedInRequest, shown: Scan, *, bound: ReadingForm | None = None, status: int = 200
) -> HttpResponse:
    """Return the page of a scan.

    Args:
        request: The request.
        shown: The scan, as loaded for the user.
        bound: A form about the scan that was refused, with what the user entered.
        status: The status code of the response.
    """
    analysis = shown.current_analysis
    withheld = wording.withheld(analysis)
    probabilities, choices = [] if withheld else _probabilities(analysis), model_choices()
    batch_file, batch_files = file_of_scan(request.user, shown) or (None, 0)
    remaining = wording.remaining_findings(analysis) if analysis is not None else ()
    has_overlay, sections = (False, []) if withheld else _explained(analysis)
    analyses = list(scan_analyses(request.user, shown))
    beside = side_by_side_of(request.user, shown, analyses=analyses)
    compared_analyses = beside["compared"].analyses if beside["compared"] else ()
    context = {
        "batch_file": batch_file,
        "batch_files": batch_files,
        **progress_of(shown),
        "took": _milliseconds_taken(analysis),
        "models": choices,
        # A model that was removed cannot be tried again.
        "retry_model": analysis.model_name if analysis is not None and analysis.model_name in dict(choices) else "",
        "user_teams": list(teams_of(request.user)),
        "can_change": can_change(request.user, shown),
        "earlier": earlier_scan(request.user, shown),
        "previous": [other for other in analyses if other != analysis and other not in compared_analyses],
        "probabilities": probabilities,
        "has_overlay": has_overlay,
        "explanation": sections,
        "advice": None if analysis is None or withheld else advice(analysis, has_overlay=has_overlay),
        "withheld": withheld,
        "input_problems": (problems := described(shown)),
        "can_be_cropped": any(problem.can_be_cropped for problem in problems),
        "remaining": remaining,
        **written_of(request.user, shown),
        "chart": [
            {"name": name, "value": round(value, 4), "muted": name not in remaining} for name, value in probabilities
        ],
        **beside,
        **reading_of(request.user, shown, bound=bound),
    }
    return render(request, "web/scan.html", context, status=status)


@require_POST
def scan_analyse(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Queue another analysis, with the default model or the one chosen. Ask first if it would give the same result."""
    shown = scan_or_404(request, scan_id)
    model = request.POST.get("model", "") or default_model(shown.team)
    if not is_confirmed(request) and would_repeat(shown, model=model):
        return ask(
            request,
            heading="Analyze again? Nothing would change.",
            text=f"The current result comes from the same model and version that would run now ({model} "
            f"{shown.current_analysis.model_version if shown.current_analysis else ''}), and the same image gives "
            "the same result.",
            button="Analyze again",
            back=shown.get_absolute_url(),
            fields={"model": model},
            dangerous=False,
        )
    try:
        request_analysis(shown, by=request.user, model=model)
    except ServiceError as error:
        messages.error(request, str(error))
    return redirect(shown)


@require_POST
def scan_analyse_all(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Queue an analysis by every model that has not analyzed the scan in its present version."""
    shown = scan_or_404(request, scan_id)
    try:
        made = request_all_models(shown, by=request.user)
    except ServiceError as error:
        messages.error(request, str(error))
    else:
        if not made:
            messages.info(request, "Every installed model has analyzed this scan.")
    return redirect(shown)


@require_safe
def scan_models(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Show what each model says: a fragment of the scan's page. It has no content while `seen` is current."""
    shown = scan_or_404(request, scan_id)
    beside = side_by_side_of(request.user, shown)
    if beside["compared"] is None:
        return HttpResponse()
    if beside["compared"].state == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "web/_side_by_side.html", {"scan": shown, **beside})


@require_POST
def analysis_cancel(request: SignedInRequest, analysis_id: UUID) -> HttpResponse:
    """Remove an analysis from the queue."""
    analysis = analysis_or_404(request, analysis_id)
    try:
        cancel_analysis(analysis, by=request.user)
    except ServiceError as error:
        messages.warning(request, str(error))
    return redirect(analysis.scan)


@require_http_methods(["GET", "HEAD", "POST"])
def scan_edit(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Change patient reference, notes, and team."""
    shown = _changeable_scan(request, scan_id)
    data = request.POST if request.method == "POST" else take_entry(request)
    form = ScanFieldsForm(data, initial=_fields(shown), user=request.user, shared_with=shown.team)
    if request.method != "POST":
        form = given_back(form) if form.is_bound else form
    elif form.is_valid():
        try:
            # First, because it can be refused: then nothing of the form is stored.
            move_scan(shown, by=request.user, team=form.cleaned_data["team"])
            update_scan(
                shown,
                by=request.user,
                patient_reference=form.cleaned_data["patient_reference"],
                notes=form.cleaned_data["notes"],
            )
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect(shown)
    status = 400 if request.method == "POST" and form.errors else 200
    return render(request, "web/scan_edit.html", {"scan": shown, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def scan_delete(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Ask for confirmation, then delete the scan with its analyses and files."""
    shown = _changeable_scan(request, scan_id)
    if request.method == "POST":
        delete_scan(shown, by=request.user)
        messages.success(request, "The scan and its analyses have been deleted.")
        return redirect("web:history")
    context = {"scan": shown, "analyses": scan_analyses(request.user, shown).count()}
    return render(request, "web/scan_delete.html", context)


def _changeable_scan(request: SignedInRequest, scan_id: UUID) -> Scan:
    """Return a scan that the person may change. Raise 404 for one they cannot view, 403 for a teammate's."""
    shown = scan_or_404(request, scan_id)
    if not can_change(request.user, shown):
        raise PermissionDenied(CHANGE_REFUSED)
    return shown


def _milliseconds_taken(analysis: Analysis | None) -> float | None:
    """Return the time from queueing to the result; `None` while unfinished."""
    if analysis is None or analysis.finished_at is None:
        return None
    return (analysis.finished_at - analysis.queued_at).total_seconds() * 1000


def _fields(shown: Scan) -> dict[str, Any]:
    return {"patient_reference": shown.patient_reference, "notes": shown.notes, "team": shown.team_id}


def _explained(analysis: Analysis | None) -> tuple[bool, list[Section]]:
    """Return whether the overlay shows a place, and the built-in explanation; an empty map gets no overlay."""
    if analysis is None or not analysis.outcome:
        return False, []
    facts = facts_of(analysis)
    return facts.place is not None, explain(facts)


def _probabilities(analysis: Analysis | None) -> list[tuple[str, float]]:
    """Return `(finding, probability)` in the order of `FINDINGS`; empty without probabilities."""
    if analysis is None or not analysis.probabilities:
        return []
    return list(zip(FINDINGS, analysis.probabilities, strict=True))
