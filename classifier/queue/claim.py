"""Workers' side of the queue: claims under a lease, results, and the sweep that recovers rows of dead workers.

A claim is valid while the row holds its token. Every write checks the token in the same statement, so a worker
whose lease has passed to another one changes nothing.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from numpy.typing import NDArray

from classifier.inference.decision import Decision
from classifier.models import Analysis, ClassMaps, SiteCalibration
from classifier.models.analysis_query import AnalysisQuerySet
from classifier.queue.notify import notify_workers
from classifier.queue.transitions import End, end_analyses

logger = structlog.get_logger(__name__)

# One failure may be an accident and a second a coincidence. After the third, a person should investigate.
MAX_ATTEMPTS = 3
# Multiplied by the number of attempts, so that the retries outlast a short outage of the database or the disk.
RETRY_DELAY = timedelta(seconds=5)
# A sweep is one short transaction. The next one, seconds later, takes what is left.
MAX_SWEPT = 500

LOST_WORKER = ("worker_lost", "The analysis was interrupted three times before it could finish. Try again later.")
ERROR_MESSAGE = (
    "The analysis stopped because of an internal error. Try again; if it happens again, tell your administrator "
    "the reference {reference}."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """An analysis that this worker may run until the lease expires, and the token that proves it.

    Analyses that were claimed together share the token. `site_calibration` is the one that was switched on for the
    team and the model when the analysis was claimed; None for that of the card.
    """

    analysis: Analysis
    token: uuid.UUID
    site_calibration: SiteCalibration | None = None

    @property
    def is_held(self) -> Q:
        """The condition under which the claim still holds."""
        return Q(state=Analysis.State.RUNNING, lease_token=self.token)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a claimed analysis.

    Attributes:
        claim: a claim from `claim_analyses`.
        decision: outcome, finding, calibrated probabilities and scores.
        class_maps: float16 `(rows, columns, 4)`.
        model_version: the version that ran.
        milliseconds: the model's own time for this image.
        appearance: appearance statistics of the input, float32 `(D,)`; None if they are unknown.
        site_calibration: What the decision was calibrated with; None for the model's card.
        logits: The network's raw output, float32 `(4,)`. Kept of shadow analyses, to refit a calibration.
    """

    claim: Claim
    decision: Decision
    class_maps: NDArray[np.float16]
    model_version: str
    milliseconds: float
    appearance: NDArray[np.float32] | None = None
    site_calibration: SiteCalibration | None = None
    logits: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """The counts of a sweep: analyses that failed for lack of attempts, and analyses that wait for a worker."""

    failed: int
    waiting: int


def claim_analyses(*, limit: int, now: datetime | None = None) -> list[Claim]:
    """Claim up to `limit` analyses in queue order, under a lease and a fresh token.

    An analysis whose lease has expired is claimed like a queued one, as long as it has attempts left. An analysis
    that was attempted before is always claimed alone: if it is what killed its worker, it must not take others to
    their last attempt. Two workers never claim the same row: PostgreSQL skips locked rows, and SQLite runs immediate
    transactions one after the other. An empty queue costs one query.
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
        Analysis.with_shadow.filter(pk__in=[row.pk for row in chosen]).update(
            state=Analysis.State.RUNNING,
            attempts=F("attempts") + 1,
            started_at=now,
            lease_token=token,
            lease_expires_at=lease_ends,
        )
    for row in chosen:
        row.state, row.attempts, row.started_at = Analysis.State.RUNNING, row.attempts + 1, now
        row.lease_token, row.lease_expires_at = token, lease_ends
    calibrations = _site_calibrations(chosen)
    return [
        Claim(row, token, None if row.in_shadow else calibrations.get((row.scan.team_id, row.model_name)))
        for row in chosen
    ]


def renew_leases(tokens: Collection[uuid.UUID], *, now: datetime | None = None) -> int:
    """Extend the leases of claims that still hold. Return the number of rows."""
    if not tokens:
        return 0
    lease_ends = (now or timezone.now()) + timedelta(seconds=settings.LEASE_SECONDS)
    held = Analysis.with_shadow.active().filter(state=Analysis.State.RUNNING, lease_token__in=tokens)
    return held.update(lease_expires_at=lease_ends)


def finish_analyses(results: Sequence[Result]) -> int:
    """Store the results whose claims still hold, in one transaction. Return their number."""
    maps = {result.claim.analysis.pk: result for result in results}
    with transaction.atomic():
        ended = end_analyses([_success(result) for result in results])
        # No page shows the map of a shadow analysis.
        shown = [maps[pk] for pk in ended if not maps[pk].claim.analysis.in_shadow]
        ClassMaps.objects.bulk_create([_class_maps(result) for result in shown])
    for pk in maps.keys() - set(ended):
        logger.warning("late_result_discarded", analysis=str(pk))
    return len(ended)


def fail_analysis(claim: Claim, *, code: str, message: str) -> bool:
    """Fail a claimed analysis permanently, with a sentence for people. Return True if the claim still held."""
    return bool(end_analyses([_failure(claim.analysis, claim.is_held, code=code, message=message)]))


def release_analysis(claim: Claim, *, error: Exception) -> bool:
    """Queue a claimed analysis again after an error that may pass. After the last attempt, fail it.

    Return True if the claim still held.
    """
    if claim.analysis.attempts >= MAX_ATTEMPTS:
        reference = str(claim.analysis.pk)[:8]
        logger.error("analysis_failed", analysis=str(claim.analysis.pk), error=repr(error))
        return fail_analysis(claim, code="internal_error", message=ERROR_MESSAGE.format(reference=reference))
    logger.warning("analysis_released", analysis=str(claim.analysis.pk), error=repr(error))
    return _requeue(claim, available_at=timezone.now() + RETRY_DELAY * claim.analysis.attempts)


def return_unstarted(claims: Iterable[Claim]) -> None:
    """Queue claimed analyses again without counting the attempt: the worker stops before it has started them."""
    for claim in claims:
        _requeue(claim, attempts=F("attempts") - 1)


def sweep(*, now: datetime | None = None) -> Sweep:
    """Fail analyses that were interrupted too often, and notify the workers if any wait.

    The sweep recovers from lost messages and dead workers.
    """
    now = now or timezone.now()
    code, message = LOST_WORKER
    lost = Q(state=Analysis.State.RUNNING, lease_expires_at__lt=now, attempts__gte=MAX_ATTEMPTS)
    rows = Analysis.with_shadow.active().filter(lost)[:MAX_SWEPT]
    failed = len(end_analyses([_failure(row, lost, code=code, message=message) for row in rows], now=now))
    waiting = _due(now).count()
    if waiting:
        notify_workers()
    if failed or waiting:
        logger.info("swept", failed=failed, waiting=waiting)
    return Sweep(failed=failed, waiting=waiting)


def _site_calibrations(rows: Sequence[Analysis]) -> dict[tuple[int | None, str], SiteCalibration]:
    """Return the calibrations that are switched on, by team and model. A commissioning measures the card's own."""
    if not (teams := {row.scan.team_id for row in rows if row.scan.team_id is not None and not row.in_shadow}):
        return {}
    active = SiteCalibration.objects.filter(active=True, team__in=teams).select_related("commissioning")
    return {(row.team_id, row.model_name): row for row in active}


def _due(now: datetime) -> AnalysisQuerySet:
    """Return the analyses that a worker may claim now."""
    free = Q(state=Analysis.State.QUEUED, available_at__lte=now)
    orphaned = Q(state=Analysis.State.RUNNING, lease_expires_at__lt=now, attempts__lt=MAX_ATTEMPTS)
    return Analysis.with_shadow.active().filter(free | orphaned)


def _requeue(claim: Claim, **fields: Any) -> bool:
    held = Analysis.with_shadow.filter(claim.is_held, pk=claim.analysis.pk)
    return bool(held.update(state=Analysis.State.QUEUED, lease_token=None, lease_expires_at=None, **fields))


def _failure(analysis: Analysis, condition: Q, *, code: str, message: str) -> End:
    return End(
        analysis_id=analysis.pk,
        scan_id=analysis.scan_id,
        condition=condition,
        state=Analysis.State.FAILED,
        in_shadow=analysis.in_shadow,
        fields={"failure_code": code, "failure_message": message},
        payload={"model": analysis.model_name, "failure_code": code},
    )


def _success(result: Result) -> End:
    analysis, decision = result.claim.analysis, result.decision
    return End(
        analysis_id=analysis.pk,
        scan_id=analysis.scan_id,
        condition=result.claim.is_held,
        state=Analysis.State.SUCCEEDED,
        in_shadow=analysis.in_shadow,
        fields={
            "outcome": decision.outcome,
            "finding": decision.finding or "",
            "probabilities": None if decision.probabilities is None else [_rounded(p) for p in decision.probabilities],
            "possible_findings": list(decision.possible),
            "answer_rule": decision.rule,
            "appearance": _appearance(result.appearance),
            "confidence": None if decision.confidence is None else _rounded(decision.confidence),
            "ood_score": decision.ood_score,
            "model_version": result.model_version,
            "milliseconds": round(result.milliseconds, 1),
            "site_calibration": result.site_calibration,
            "logits": _logits(result) if analysis.in_shadow else None,
        },
        payload={"model": analysis.model_name, "model_version": result.model_version},
    )


def _class_maps(result: Result) -> ClassMaps:
    rows, columns = result.class_maps.shape[:2]
    data = np.ascontiguousarray(result.class_maps, dtype="<f2").tobytes()
    return ClassMaps(analysis_id=result.claim.analysis.pk, rows=rows, columns=columns, data=data)


def _appearance(values: NDArray[np.float32] | None) -> list[float] | None:
    """Round to five digits: the statistics of one image vary by far more."""
    return None if values is None else [round(float(value), 5) for value in values]


def _logits(result: Result) -> list[float] | None:
    """Return the raw output of an image that was not refused."""
    if result.logits is None or result.decision.probabilities is None:
        return None
    return [round(float(value), 5) for value in result.logits]


def _rounded(probability: float) -> float:
    """Round to six digits: more would be noise, and one in a million still differs from zero."""
    return round(probability, 6)
