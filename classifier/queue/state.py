"""Counts of the queue and of its workers. They name no patient and no user, so they are not scoped to a user."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from classifier.models import Analysis, WorkerProcess
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue at one moment.

    Attributes:
        queued: analyses that wait, including those that are delayed before another attempt.
        running: analyses that a worker has claimed.
        oldest_seconds: age in seconds of the oldest analysis that a worker could claim now; 0 if there is none.
        expired_leases: running analyses whose worker did not renew its lease. Other workers take them over.
        by_attempts: number of queued and running analyses by attempts started, fewest attempts first.
    """

    queued: int
    running: int
    oldest_seconds: float
    expired_leases: int
    by_attempts: dict[int, int]


def queue_state(*, now: datetime | None = None) -> QueueState:
    """Return the state of the queue, in one query whose cost does not depend on the number of finished analyses."""
    now = now or timezone.now()
    due = Q(state=Analysis.State.QUEUED, available_at__lte=now)
    groups = (
        Analysis.with_shadow.active()
        .order_by("attempts")
        .values("state", "attempts")
        .annotate(
            number=Count("pk"),
            oldest=Min("queued_at", filter=due),
            expired=Count("pk", filter=Q(lease_expires_at__lt=now)),
        )
    )
    by_state = dict.fromkeys(Analysis.ACTIVE, 0)
    by_attempts: dict[int, int] = {}
    oldest, expired = now, 0
    for group in groups:
        by_state[group["state"]] += group["number"]
        by_attempts[group["attempts"]] = by_attempts.get(group["attempts"], 0) + group["number"]
        oldest = min(oldest, group["oldest"] or now)
        expired += group["expired"]
    return QueueState(
        queued=by_state[Analysis.State.QUEUED],
        running=by_state[Analysis.State.RUNNING],
        oldest_seconds=(now - oldest).total_seconds(),
        expired_leases=expired,
        by_attempts=by_attempts,
    )


def finished_counts() -> dict[tuple[str, int], int]:
    """Return the number of finished analyses by state and attempts. Reads every row: seconds with millions."""
    groups = Analysis.with_shadow.exclude(state__in=Analysis.ACTIVE).order_by().values("state", "attempts")
    return {(group["state"], group["attempts"]): group["number"] for group in groups.annotate(number=Count("pk"))}


def live_workers(*, now: datetime | None = None) -> "QuerySet[WorkerProcess]":
    """Return the worker processes with a recent heartbeat, newest first."""
    oldest = (now or timezone.now()) - timedelta(seconds=HEARTBEAT_TIMEOUT)
    return WorkerProcess.objects.filter(heartbeat_at__gte=oldest)
