"""One scan: its page, its progress, and the actions on it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier import wording
from classifier.findings import FINDINGS
from classifier.models import Analysis, Scan
from classifier.permissions import CHANGE_REFUSED, can_change
from classifier.queue.order import queue_position, queue_positions
from classifier.selectors.scan import earlier_scan, scan_analyses, visible_scans
from classifier.selectors.team import teams_of
from classifier.services.analysis import cancel_analysis, request_analysis
from classifier.services.errors import ServiceError
from classifier.services.scan import delete_scan, move_scan, update_scan
from classifier.web.forms import ScanFieldsForm
from classifier.web.http import SignedInRequest, analysis_or_404, scan_or_404

# Most results take about a second. After ten seconds the analysis is in a queue, so poll less often.
FAST_POLL_MS, SLOW_POLL_MS, FAST_SECONDS = 400, 2500, 10
# Keeps the URL short; the list asks for its first unfinished rows.
MAX_ROWS = 50


@require_safe
def scan(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Show the result, or the progress of the analysis."""
    shown = scan_or_404(request, scan_id)
    analysis = shown.current_analysis
    probabilities = _probabilities(analysis)
    context = {
        **_progress(shown, position=queue_position(analysis) if analysis is not None else 0),
        "took": _milliseconds_taken(analysis),
        "user_teams": list(teams_of(request.user)),
        "can_change": can_change(request.user, shown),
        "earlier": earlier_scan(request.user, shown),
        "previous": [other for other in scan_analyses(request.user, shown) if other != analysis],
        "probabilities": probabilities,
        "chart": [{"name": name, "value": round(value, 4)} for name, value in probabilities],
    }
    return render(request, "web/scan.html", context)


@require_safe
def scan_status(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Show the progress of the analysis: a fragment of the scan's page."""
    shown = scan_or_404(request, scan_id)
    analysis = shown.current_analysis
    progress = _progress(shown, position=queue_position(analysis) if analysis is not None else 0)
    if request.GET.get("seen") == progress["seen"]:
        # Nothing changed: do not replace elements that may have the keyboard focus.
        return HttpResponse(status=204)
    return render(request, "web/_scan_status.html", {**progress, "is_poll": True})


@require_safe
def scan_statuses(request: SignedInRequest) -> HttpResponse:
    """Show the progress of several uploads: a fragment for each row that has changed.

    One request covers all rows of a list. The parameter `row` is repeated: the scan's identifier, "~", and the state
    that the page shows.
    """
    seen = dict(_seen_row(word) for word in request.GET.getlist("row")[:MAX_ROWS])
    places = queue_positions()
    rows = []
    for shown in visible_scans(request.user).filter(pk__in=seen):
        analysis = shown.current_analysis
        progress = _progress(shown, position=places.get(analysis.pk, 0) if analysis is not None else 0)
        if seen[shown.pk] != progress["seen"]:
            rows.append(progress)
    return render(request, "web/_scan_rows.html", {"rows": rows})


@require_POST
def scan_analyse(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Queue another analysis."""
    shown = scan_or_404(request, scan_id)
    try:
        request_analysis(shown, by=request.user)
    except ServiceError as error:
        messages.error(request, str(error))
    return redirect(shown)


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
    data = request.POST if request.method == "POST" else None
    form = ScanFieldsForm(data, initial=_fields(shown), user=request.user, shared_with=shown.team)
    if form.is_valid():
        try:
            update_scan(
                shown,
                by=request.user,
                patient_reference=form.cleaned_data["patient_reference"],
                notes=form.cleaned_data["notes"],
            )
            if form.cleaned_data["team"] != shown.team:
                move_scan(shown, by=request.user, team=form.cleaned_data["team"])
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect(shown)
    return render(request, "web/scan_edit.html", {"scan": shown, "form": form}, status=400 if form.errors else 200)


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


def _seen_row(word: str) -> tuple[UUID, str]:
    """Split `<scan>~<state that the page shows>`."""
    scan_id, _, seen = word.partition("~")
    try:
        return UUID(scan_id), seen
    except ValueError as error:
        raise Http404("There is no such scan.") from error


def _changeable_scan(request: SignedInRequest, scan_id: UUID) -> Scan:
    """Return a scan that the person may change. Raise 404 for one they cannot view, 403 for a teammate's."""
    shown = scan_or_404(request, scan_id)
    if not can_change(request.user, shown):
        raise PermissionDenied(CHANGE_REFUSED)
    return shown


def _progress(shown: Scan, *, position: int) -> dict[str, Any]:
    analysis = shown.current_analysis
    waited = (timezone.now() - (analysis.queued_at if analysis else shown.created_at)).total_seconds()
    poll_ms = FAST_POLL_MS if waited < FAST_SECONDS else SLOW_POLL_MS
    return {
        "scan": shown,
        "analysis": analysis,
        "waiting": wording.queue_place(position) if position else "",
        "poll_ms": poll_ms,
        "is_active": analysis is not None and not analysis.is_finished,
        "seen": f"{analysis.state}-{position}-{poll_ms}" if analysis else "",
    }


def _milliseconds_taken(analysis: Analysis | None) -> float | None:
    """Return the time from queueing to the result; `None` while unfinished."""
    if analysis is None or analysis.finished_at is None:
        return None
    return (analysis.finished_at - analysis.queued_at).total_seconds() * 1000


def _fields(shown: Scan) -> dict[str, Any]:
    return {"patient_reference": shown.patient_reference, "notes": shown.notes, "team": shown.team_id}


def _probabilities(analysis: Analysis | None) -> list[tuple[str, float]]:
    """Return `(finding, probability)` in the order of `FINDINGS`; empty without probabilities."""
    if analysis is None or not analysis.probabilities:
        return []
    return list(zip(FINDINGS, analysis.probabilities, strict=True))
