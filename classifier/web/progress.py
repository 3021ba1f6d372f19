"""The progress of an analysis as pages show it, and the wait for its end."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from classifier import wording
from classifier.models import Scan
from classifier.queue.order import queue_position
from classifier.queue.waiting import CompletionWaiter, completion_waiter
from classifier.queue.waiting_slots import waiting_slot
from classifier.web.http import SignedInRequest

# Only the end of an analysis wakes a waiting request. Its place in the queue is read again after this time.
MAX_WAIT_SECONDS = 4
# The pause after a response that did not wait.
RETRY_AFTER_SECONDS = "2"


def progress_of(scan: Scan, *, position: int | None = None) -> dict[str, Any]:
    """Return the template variables that show how far the current analysis of a scan is.

    Args:
        scan: The scan.
        position: The position of the analysis in the queue, 0 if it is not queued; None reads it.
    """
    analysis = scan.current_analysis
    if position is None:
        position = queue_position(analysis) if analysis is not None else 0
    return {
        "scan": scan,
        "analysis": analysis,
        "waiting": wording.queue_place(position) if position else "",
        "is_active": analysis is not None and not analysis.is_finished,
        "seen": f"{analysis.state}-{position}" if analysis else "",
        "wait": MAX_WAIT_SECONDS,
    }


def wait_for_any(request: SignedInRequest, shown: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Wait until an analysis that the page shows has ended, at most for the seconds that the parameter `wait` gives.

    Args:
        request: The request of the page.
        shown: What `progress_of` returned for each scan.

    Returns:
        The headers of the response: `Retry-After` if the server did not wait, because the request did not ask for it,
        no analysis is active, or too many requests are waiting.
    """
    active = [progress["analysis"].pk for progress in shown if progress["is_active"]]
    return wait_for(request, completion_waiter, active)


def wait_for(request: SignedInRequest, waiter: CompletionWaiter, active: Collection[UUID]) -> dict[str, str]:
    """Wait until one of the rows has finished, as `wait_for_any` does. Return the headers of the response."""
    seconds = _wait_seconds(request)
    if seconds and active:
        with waiting_slot(request.user.pk) as may_wait:
            if may_wait:
                waiter.wait(*active, seconds=seconds)
                return {}
    return {"Retry-After": RETRY_AFTER_SECONDS}


def _wait_seconds(request: SignedInRequest) -> int:
    text = request.GET.get("wait", "")
    return min(int(text), MAX_WAIT_SECONDS) if text.isdecimal() and len(text) < 4 else 0
