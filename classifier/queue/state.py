"""Reads of the queue and of its workers. They tell of nobody, so alone of all reads they are scoped to no person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from classifier.models import Analysis, WorkerProcess
from classifier.queue.heartbeat import ALIVE_SECONDS


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits and what runs, at one moment.

    Attributes:
        queued: analyses that wait, those among them that rest before another attempt.
        running: analyses that a worker has claimed.
        oldest_seconds: how long ago the oldest analysis was queued that a worker could claim now; 0 without any.
        expired_leases: running analyses whose worker did not renew its claim. Others take them over.
        by_attempts: queued and running analyses by the attempts that were begun, fewest first.
    """

    queued: int
    running: int
    oldest_seconds: float
    expired_leases: int
    by_attempts: dict[int, int]


def queue_state(*, now: datetime | None = None) -> QueueState:
    """Read the queue in one query. It costs what waits and runs, however many analyses have ended."""
    now = now or timezone.now()
    due = Q(state=Analysis.State.QUEUED, available_at__lte=now)
    groups = (
        Analysis.objects.active()
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
    """How many analyses have ended, by state and attempts. Reads every analysis: with millions it takes seconds."""
    groups = Analysis.objects.exclude(state__in=Analysis.ACTIVE).order_by().values("state", "attempts")
    return {(group["state"], group["attempts"]): group["number"] for group in groups.annotate(number=Count("pk"))}


def live_workers(*, now: datetime | None = None) -> "QuerySet[WorkerProcess]":
    """The worker processes that have reported lately, newest report first."""
    return WorkerProcess.objects.filter(seen_at__gte=(now or timezone.now()) - timedelta(seconds=ALIVE_SECONDS))
