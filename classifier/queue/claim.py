"""The worker's writes: claims under a lease, their results, and the sweep that finds what was left behind.

A claim holds for as long as its token stands in the row. Every write asks for the token in the same statement, so a
worker that comes back after its lease was given to another changes nothing.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from numpy.typing import NDArray

from classifier.inference.decision import Decision
from classifier.models import Analysis, ClassMaps
from classifier.models.analysis import AnalysisQuerySet
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_workers

logger = structlog.get_logger(__name__)

# A third failure is no accident: whatever it is, a person should look at it.
MAX_ATTEMPTS = 3
# Grows with each attempt, so that a database or disk that is away for some seconds is outlived.
RETRY_DELAY = timedelta(seconds=5)

LOST_WORKER = ("worker_lost", "The analysis was interrupted three times before it could finish. Try again later.")
ERROR_MESSAGE = (
    "The analysis stopped because of an internal error. Try again; if it happens again, tell your administrator "
    "the reference {reference}."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """An analysis that this worker may run until the lease ends, and the token that proves it.

    Analyses that were claimed together share the token.
    """

    analysis: Analysis
    token: uuid.UUID


@dataclass(frozen=True, slots=True)
class Result:
    """What a claimed analysis gave.

    Attributes:
        claim: what `claim_analyses` returned.
        decision: outcome, finding, calibrated probabilities and scores.
        class_maps: float16 `(rows, columns, 4)`.
        model_version: the version that ran.
        milliseconds: the model's own time for this image.
    """

    claim: Claim
    decision: Decision
    class_maps: NDArray[np.float16]
    model_version: str
    milliseconds: float


def claim_analyses(*, limit: int, now: datetime | None = None) -> list[Claim]:
    """Take up to `limit` analyses out of the queue, in the order of the line, with a lease and a fresh token.

    A row whose lease ran out is taken like a queued one, as long as it has attempts left. One that was tried before
    is always taken alone: if it is what broke its worker, it must not take others to their last attempt. Two workers
    never get the same row: PostgreSQL skips rows that another has locked, SQLite's immediate transactions stand in
    line. An empty queue costs one read.
    """
    now = now or timezone.now()
    if not _due(now).exists():
        return []
    with transaction.atomic():
        rows = _due(now).order_by(*Analysis.QUEUE_ORDER).select_related("scan")
        rows = rows.select_for_update(skip_locked=True, of=("self",))
        found = list(rows[:limit])
        fresh = list(takewhile(lambda row: row.attempts == 0, found))
        chosen = fresh or found[:1]
        token, lease_ends = uuid.uuid4(), now + timedelta(seconds=settings.LEASE_SECONDS)
        Analysis.objects.filter(pk__in=[row.pk for row in chosen]).update(
            state=Analysis.State.RUNNING,
            attempts=F("attempts") + 1,
            started_at=now,
            lease_token=token,
            lease_expires_at=lease_ends,
        )
    for row in chosen:
        row.state, row.attempts, row.started_at = Analysis.State.RUNNING, row.attempts + 1, now
        row.lease_token, row.lease_expires_at = token, lease_ends
    return [Claim(row, token) for row in chosen]


def renew_leases(tokens: Collection[uuid.UUID], *, now: datetime | None = None) -> int:
    """Lengthen the leases of claims that still hold. Returns how many rows that were."""
    if not tokens:
        return 0
    lease_ends = (now or timezone.now()) + timedelta(seconds=settings.LEASE_SECONDS)
    held = Analysis.objects.active().filter(state=Analysis.State.RUNNING, lease_token__in=tokens)
    return held.update(lease_expires_at=lease_ends)


def finish_analyses(results: Sequence[Result]) -> int:
    """Store the results whose claims still hold, all in one transaction. Returns how many that were."""
    maps = []
    now = timezone.now()
    with transaction.atomic():
        for result in results:
            if _held(result.claim).update(**_succeeded(result, now=now)):
                maps.append(_class_maps(result))
            else:
                logger.warning("late_result_discarded", analysis=str(result.claim.analysis.pk))
        ClassMaps.objects.bulk_create(maps)
        ended = [each.analysis_id for each in maps]
        transaction.on_commit(lambda: publish_finished(ended))
    return len(maps)


def fail_analysis(claim: Claim, *, code: str, message: str) -> bool:
    """End a claimed analysis for good, with a sentence for people. Returns whether the claim still held."""
    failed = _held(claim).update(
        state=Analysis.State.FAILED,
        failure_code=code,
        failure_message=message,
        finished_at=timezone.now(),
        lease_token=None,
        lease_expires_at=None,
    )
    if failed:
        transaction.on_commit(lambda: publish_finished([claim.analysis.pk]))
    return bool(failed)


def release_analysis(claim: Claim, *, error: Exception) -> bool:
    """Give a claimed analysis back after an error that may pass; after the last attempt it fails for good."""
    if claim.analysis.attempts >= MAX_ATTEMPTS:
        reference = str(claim.analysis.pk)[:8]
        logger.error("analysis_failed", analysis=str(claim.analysis.pk), error=repr(error))
        return fail_analysis(claim, code="internal_error", message=ERROR_MESSAGE.format(reference=reference))
    logger.warning("analysis_released", analysis=str(claim.analysis.pk), error=repr(error))
    return bool(
        _held(claim).update(
            state=Analysis.State.QUEUED,
            available_at=timezone.now() + RETRY_DELAY * claim.analysis.attempts,
            lease_token=None,
            lease_expires_at=None,
        )
    )


def return_unstarted(claims: Iterable[Claim]) -> None:
    """Give claimed rows back untouched, attempt included: the worker is stopping."""
    for claim in claims:
        _held(claim).update(
            state=Analysis.State.QUEUED, attempts=F("attempts") - 1, lease_token=None, lease_expires_at=None
        )


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found: rows that ran out of attempts, and rows that wait for a worker."""

    failed: int
    waiting: int


def sweep(*, now: datetime | None = None) -> Sweep:
    """Fail what was interrupted too often, and ring for whatever waits: lost messages and dead workers end here."""
    now = now or timezone.now()
    code, message = LOST_WORKER
    lost = _orphaned(now).filter(attempts__gte=MAX_ATTEMPTS)
    failed = lost.update(
        state=Analysis.State.FAILED,
        failure_code=code,
        failure_message=message,
        finished_at=now,
        lease_token=None,
        lease_expires_at=None,
    )
    waiting = _due(now).count()
    if waiting:
        notify_workers()
    if failed or waiting:
        logger.info("swept", failed=failed, waiting=waiting)
    return Sweep(failed=failed, waiting=waiting)


def _due(now: datetime) -> AnalysisQuerySet:
    """What a worker may claim now."""
    free = Q(state=Analysis.State.QUEUED, available_at__lte=now)
    orphaned = Q(state=Analysis.State.RUNNING, lease_expires_at__lt=now, attempts__lt=MAX_ATTEMPTS)
    return Analysis.objects.active().filter(free | orphaned)


def _orphaned(now: datetime) -> AnalysisQuerySet:
    return Analysis.objects.active().filter(state=Analysis.State.RUNNING, lease_expires_at__lt=now)


def _held(claim: Claim) -> AnalysisQuerySet:
    return Analysis.objects.filter(pk=claim.analysis.pk, state=Analysis.State.RUNNING, lease_token=claim.token)


def _succeeded(result: Result, *, now: datetime) -> dict[str, object]:
    decision = result.decision
    return {
        "state": Analysis.State.SUCCEEDED,
        "outcome": decision.outcome,
        "finding": decision.finding or "",
        "probabilities": _rounded(decision.probabilities),
        "possible_findings": list(decision.possible),
        "confidence": decision.confidence,
        "ood_score": decision.ood_score,
        "model_version": result.model_version,
        "milliseconds": round(result.milliseconds, 1),
        "finished_at": now,
        "lease_token": None,
        "lease_expires_at": None,
    }


def _class_maps(result: Result) -> ClassMaps:
    rows, columns = result.class_maps.shape[:2]
    data = np.ascontiguousarray(result.class_maps, dtype="<f2").tobytes()
    return ClassMaps(analysis_id=result.claim.analysis.pk, rows=rows, columns=columns, data=data)


def _rounded(probabilities: tuple[float, ...] | None) -> list[float] | None:
    """Six digits: more would be noise, and one in a million is still told from zero."""
    return None if probabilities is None else [round(p, 6) for p in probabilities]
