"""Asking for analyses, and taking that back. What workers do with them is in `classifier.services.claim`."""

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import Analysis, Scan, User
from classifier.news import tell_ended
from classifier.services import doorbell
from classifier.services.errors import Conflict
from classifier.services.model import checked_model_name

logger = structlog.get_logger(__name__)

# A handful at once is somebody reading a patient's slices; more is an archive, and may wait behind others' handfuls.
BULK_FROM = 8


def request_analysis(scan: Scan, *, by: User, model: str | None = None) -> Analysis:
    """Queue a new analysis of a stored scan and make it the current one.

    Raises:
        Conflict: if one with the same model is queued or running, or the scan was deleted meanwhile.
        Invalid: if there is no such model.
    """
    try:
        with transaction.atomic():
            analysis = next_analysis(scan, by=by, model_name=checked_model_name(model))
            analysis.save(force_insert=True)
            Scan.objects.filter(pk=scan.pk).update(current_analysis=analysis)
            transaction.on_commit(doorbell.ring)
    except IntegrityError as error:
        if not Scan.objects.filter(pk=scan.pk).exists():
            raise Conflict("This scan was deleted.") from error
        raise Conflict("An analysis of this scan with this model is already waiting or running.") from error
    scan.current_analysis = analysis
    return analysis


def next_analysis(scan: Scan, *, by: User, model_name: str) -> Analysis:
    """Make a queued analysis in its place in the line. Whoever saves it rings when that is committed."""
    turn, bulk = place_in_line(by)
    return Analysis(
        scan=scan, requested_by=by, model_name=model_name, available_at=timezone.now(), turn=turn, bulk=bulk
    )


def place_in_line(by: User) -> tuple[int, bool]:
    """Where a new analysis of this person stands in the line: its turn, and whether it is one of many.

    Whoever has little waiting gets the turn that is being served; each further analysis of the same person gets the
    next one. So one person's five hundred wait for each other and not everybody for them, and nobody starves: a turn
    holds at most one analysis a person (start-time fair queueing; Goyal, Vin and Cheng, 1996, with equal weights).
    From the `BULK_FROM`th on they count as bulk and form a line of their own, so that the same person's single
    upload afterwards need not wait for the rest.
    """
    served = _turn_being_served()
    if served is None:
        return 0, False
    own = Analysis.objects.active().filter(requested_by=by)
    bulk = own.filter(bulk=False)[:BULK_FROM].count() == BULK_FROM
    last = own.filter(state=Analysis.State.QUEUED, bulk=bulk).order_by("-turn").values_list("turn", flat=True).first()
    return (served if last is None else max(served, last + 1)), bulk


def _turn_being_served() -> int | None:
    """`None` when nothing waits or runs."""
    active = Analysis.objects.active().values_list("turn", flat=True)
    first = active.filter(state=Analysis.State.QUEUED).order_by(*Analysis.LINE).first()
    return active.order_by("-turn").first() if first is None else first


def cancel_analysis(analysis: Analysis, *, by: User) -> None:
    """Take a queued analysis out of the queue. Raises `Conflict` when it has started or ended."""
    changed = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.QUEUED).update(
        state=Analysis.State.CANCELLED, finished_at=timezone.now()
    )
    if not changed:
        running = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.RUNNING).exists()
        raise Conflict(f"The analysis has already {'started' if running else 'ended'} and cannot be cancelled.")
    transaction.on_commit(lambda: tell_ended([analysis.pk]))
    logger.info("analysis_cancelled", analysis=str(analysis.pk), by=by.pk)
