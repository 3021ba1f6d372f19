"""The one place where an analysis ends."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import Analysis, Event, Scan, User
from classifier.queue.finished import publish_finished

KINDS: dict[Analysis.State, Kind] = {
    Analysis.State.SUCCEEDED: Kind.ANALYSIS_SUCCEEDED,
    Analysis.State.FAILED: Kind.ANALYSIS_FAILED,
    Analysis.State.CANCELLED: Kind.ANALYSIS_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class End:
    """The end of one analysis.

    Attributes:
        analysis_id: the analysis.
        scan_id: its scan, for the event.
        condition: The state that the row must still have; otherwise another process has ended or claimed it.
        state: succeeded, failed or cancelled.
        fields: other columns to set.
        payload: Content of the event, without patient data.
        in_shadow: Whether the analysis runs in shadow mode. Then no event records it, since events become
            notifications, and nobody waits for it.
    """

    analysis_id: UUID
    scan_id: UUID
    condition: Q
    state: Analysis.State
    fields: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    in_shadow: bool = False


def end_analyses(ends: Iterable[End], *, actor: User | None = None, now: datetime | None = None) -> list[UUID]:
    """End analyses in one transaction, record an event for each, and notify the waiters on commit.

    Args:
        ends: the analyses to end.
        actor: the person who asked for it; None for a worker or the sweep.
        now: the time of the end.

    Returns:
        The ids of the analyses that ended. One whose condition no longer holds is left as it is.
    """
    now = now or timezone.now()
    # Without a savepoint: a caller that writes more in the same transaction gives up all of it or nothing.
    ends = list(ends)
    with transaction.atomic(savepoint=False):
        # A trigger changes the scans, too. A deletion locks the scan before its analyses.
        scans = Scan.objects.filter(pk__in={end.scan_id for end in ends}).order_by("pk")
        list(scans.select_for_update(no_key=True).values_list("pk"))
        ended = [end for end in ends if _end(end, now=now)]
        ids = [end.analysis_id for end in ended]
        if not ids:
            return []
        record_events(
            Event(
                kind=KINDS[end.state],
                scan_id=end.scan_id,
                analysis_id=end.analysis_id,
                actor=actor,
                at=now,
                payload=end.payload,
            )
            for end in ended
            if not end.in_shadow
        )
        if open_ids := [end.analysis_id for end in ended if not end.in_shadow]:
            transaction.on_commit(lambda: publish_finished(open_ids))
    return ids


def _end(end: End, *, now: datetime) -> bool:
    rows = Analysis.with_shadow.filter(end.condition, pk=end.analysis_id)
    return bool(rows.update(state=end.state, finished_at=now, lease_token=None, lease_expires_at=None, **end.fields))
