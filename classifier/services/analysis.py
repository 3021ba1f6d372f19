"""Writes to analyses: the queue's whole life. Nothing else changes `Analysis.state`."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from numpy.typing import NDArray

from classifier.inference.decision import Decision
from classifier.models import Analysis, ClassMaps, Scan, User
from classifier.services import doorbell
from classifier.services.errors import Conflict
from classifier.services.model import checked_model_name

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
UNREADABLE = ("image_unreadable", "The stored image could not be read. Upload the file again.")


@dataclass(frozen=True, slots=True)
class Claim:
    """An analysis that this worker may run until the lease ends, and the token that proves it."""

    analysis: Analysis
    token: uuid.UUID


def request_analysis(scan: Scan, *, by: User, model: str | None = None) -> Analysis:
    """Queue a new analysis of a stored scan and make it the current one.

    Raises:
        Conflict: if one with the same model is queued or running.
        Invalid: if there is no such model.
    """
    try:
        with transaction.atomic():
            analysis = queue_analysis(scan, by=by, model_name=checked_model_name(model))
    except IntegrityError as error:
        raise Conflict("An analysis of this scan with this model is already waiting or running.") from error
    return analysis


def queue_analysis(scan: Scan, *, by: User, model_name: str) -> Analysis:
    """Store a queued analysis of `scan` inside the caller's transaction; the doorbell rings when it commits."""
    analysis = Analysis.objects.create(scan=scan, requested_by=by, model_name=model_name, available_at=timezone.now())
    scan.current_analysis = analysis
    Scan.objects.filter(pk=scan.pk).update(current_analysis=analysis)
    transaction.on_commit(doorbell.ring)
    return analysis


def cancel_analysis(analysis: Analysis, *, by: User) -> None:
    """Take a queued analysis out of the queue. Raises `Conflict` when it has started or ended."""
    changed = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.QUEUED).update(
        state=Analysis.State.CANCELLED, finished_at=timezone.now()
    )
    if not changed:
        running = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.RUNNING).exists()
        raise Conflict(f"The analysis has already {'started' if running else 'ended'} and cannot be cancelled.")
    logger.info("analysis_cancelled", analysis=str(analysis.pk), by=by.pk)


def claim_analyses(*, limit: int, now: datetime | None = None) -> list[Claim]:
    """Take up to `limit` analyses out of the queue, oldest first, each with a lease and a fresh token.

    A row whose lease ran out is taken like a queued one, as long as it has attempts left. Two workers never get the
    same row: PostgreSQL skips rows that another has locked, SQLite's immediate transactions stand in line.
    """
    now = now or timezone.now()
    free = Analysis.objects.filter(state=Analysis.State.QUEUED, available_at__lte=now)
    orphaned = Analysis.objects.filter(
        state=Analysis.State.RUNNING, lease_expires_at__lt=now, attempts__lt=MAX_ATTEMPTS
    )
    claims = []
    with transaction.atomic():
        # Saying `state` once more lets both databases use the queue's small index.
        active = (free | orphaned).filter(state__in=Analysis.ACTIVE).order_by("queued_at", "pk")
        rows = active.select_for_update(skip_locked=True, of=("self",))
        for analysis in rows[:limit]:
            claims.append(_lease(analysis, now=now))
    return claims


def _lease(analysis: Analysis, *, now: datetime) -> Claim:
    token = uuid.uuid4()
    analysis.state = Analysis.State.RUNNING
    analysis.attempts += 1
    analysis.started_at = now
    analysis.lease_token = token
    analysis.lease_expires_at = now + timedelta(seconds=settings.LEASE_SECONDS)
    analysis.save(update_fields=["state", "attempts", "started_at", "lease_token", "lease_expires_at"])
    return Claim(analysis, token)


def finish_analysis(
    claim: Claim,
    *,
    decision: Decision,
    class_maps: NDArray[np.float16],
    model_version: str,
    milliseconds: float,
) -> bool:
    """Store a result if the claim still holds. Returns whether it did.

    Args:
        claim: what `claim_analyses` returned.
        decision: outcome, finding, calibrated probabilities and scores.
        class_maps: float16 `(rows, columns, 4)`.
        model_version: the version that ran.
        milliseconds: the model's own time for this image.
    """
    with transaction.atomic():
        held = _held(claim).update(
            state=Analysis.State.SUCCEEDED,
            outcome=decision.outcome,
            finding=decision.finding or "",
            probabilities=_rounded(decision.probabilities),
            confidence=decision.confidence,
            ood_score=decision.ood_score,
            model_version=model_version,
            milliseconds=round(milliseconds, 1),
            finished_at=timezone.now(),
            lease_token=None,
            lease_expires_at=None,
        )
        if held:
            rows, columns = class_maps.shape[:2]
            data = np.ascontiguousarray(class_maps, dtype="<f2").tobytes()
            ClassMaps.objects.create(analysis_id=claim.analysis.pk, rows=rows, columns=columns, data=data)
    if not held:
        logger.warning("late_result_discarded", analysis=str(claim.analysis.pk))
    return bool(held)


def fail_analysis(claim: Claim, *, code: str, message: str) -> bool:
    """End a claimed analysis for good, with a sentence for people. Returns whether the claim still held."""
    return bool(
        _held(claim).update(
            state=Analysis.State.FAILED,
            failure_code=code,
            failure_message=message,
            finished_at=timezone.now(),
            lease_token=None,
            lease_expires_at=None,
        )
    )


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
    failed = Analysis.objects.filter(
        state=Analysis.State.RUNNING, lease_expires_at__lt=now, attempts__gte=MAX_ATTEMPTS
    ).update(
        state=Analysis.State.FAILED,
        failure_code=code,
        failure_message=message,
        finished_at=now,
        lease_token=None,
        lease_expires_at=None,
    )
    queued = Analysis.objects.filter(state=Analysis.State.QUEUED, available_at__lte=now)
    orphaned = Analysis.objects.filter(state=Analysis.State.RUNNING, lease_expires_at__lt=now)
    waiting = (queued | orphaned).count()
    if waiting:
        doorbell.ring()
    if failed or waiting:
        logger.info("swept", failed=failed, waiting=waiting)
    return Sweep(failed=failed, waiting=waiting)


def _rounded(probabilities: tuple[float, ...] | None) -> list[float] | None:
    """Six digits: more would be noise, and one in a million is still told from zero."""
    return None if probabilities is None else [round(p, 6) for p in probabilities]


def _held(claim: Claim):  # type: ignore[no-untyped-def]  # the manager's own queryset type
    return Analysis.objects.filter(pk=claim.analysis.pk, state=Analysis.State.RUNNING, lease_token=claim.token)
