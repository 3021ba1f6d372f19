"""The progress of analyses, for pages that are open. A request with `wait` is answered when something changes."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from classifier.queue.order import queue_positions
from classifier.selectors.scan import visible_scans
from classifier.web.http import SignedInRequest, scan_or_404
from classifier.web.progress import progress_of, wait_for_any

# Keeps the URL short; a list asks for its first unfinished rows.
MAX_ROWS = 50


@require_safe
def scan_status(request: SignedInRequest, scan_id: UUID) -> HttpResponse:
    """Show the progress of the analysis: a fragment of the scan's page.

    The parameter `seen` is the state that the page shows. While it is current, the response has no content, so that
    elements that may have the keyboard focus stay.
    """
    seen = request.GET.get("seen")
    progress = progress_of(scan_or_404(request, scan_id))
    headers: dict[str, str] = {}
    if seen == progress["seen"]:
        headers = wait_for_any(request, [progress])
        progress = progress_of(scan_or_404(request, scan_id))
    if seen == progress["seen"]:
        return HttpResponse(status=204, headers=headers)
    return render(request, "web/_scan_status.html", {**progress, "is_poll": True})


@require_safe
def scan_statuses(request: SignedInRequest) -> HttpResponse:
    """Show the progress of several uploads: a fragment for each row that has changed.

    One request covers all rows of a list. The parameter `row` is repeated: the scan's identifier, "~", and the state
    that the page shows.
    """
    seen = dict(_seen_row(word) for word in request.GET.getlist("row")[:MAX_ROWS])
    shown = _progress_of_all(request, seen)
    headers: dict[str, str] = {}
    if not _changed(shown, seen):
        headers = wait_for_any(request, shown)
        shown = _progress_of_all(request, seen)
    rows = render_to_string("web/_scan_rows.html", {"rows": _changed(shown, seen)}, request)
    return HttpResponse(rows, headers=headers)


def _progress_of_all(request: SignedInRequest, scan_ids: dict[UUID, str]) -> list[dict[str, Any]]:
    positions = queue_positions()
    return [
        progress_of(scan, position=positions.get(scan.current_analysis.pk, 0) if scan.current_analysis else 0)
        for scan in visible_scans(request.user).with_keys(scan_ids)
    ]


def _changed(shown: list[dict[str, Any]], seen: dict[UUID, str]) -> list[dict[str, Any]]:
    return [progress for progress in shown if progress["seen"] != seen[progress["scan"].pk]]


def _seen_row(word: str) -> tuple[UUID, str]:
    """Split `<scan>~<state that the page shows>`."""
    scan_id, _, seen = word.partition("~")
    try:
        return UUID(scan_id), seen
    except ValueError as error:
        raise Http404("There is no such scan.") from error
