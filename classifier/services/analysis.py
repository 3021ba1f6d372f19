"""Asking for analyses, and taking that back. What workers do with them is in `classifier.queue.claim`."""

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import Analysis, Scan, User
from classifier.queue.finished import publish_finished
from classifier.queue.notify import notify_workers
from classifier.queue.order import assign_fair_turn
from classifier.services.errors import Conflict
from classifier.services.model import checked_model_name

logger = structlog.get_logger(__name__)


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
            transaction.on_commit(notify_workers)
    except IntegrityError as error:
        if not Scan.objects.filter(pk=scan.pk).exists():
            raise Conflict("This scan was deleted.") from error
        raise Conflict("An analysis of this scan with this model is already waiting or running.") from error
    scan.current_analysis = analysis
    return analysis


def next_analysis(scan: Scan, *, by: User, model_name: str) -> Analysis:
    """Make a queued analysis in its place in the line. Whoever saves it rings when that is committed."""
    fair_turn, bulk = assign_fair_turn(by)
    return Analysis(
        scan=scan, requested_by=by, model_name=model_name, available_at=timezone.now(), fair_turn=fair_turn, bulk=bulk
    )


def cancel_analysis(analysis: Analysis, *, by: User) -> None:
    """Take a queued analysis out of the queue. Raises `Conflict` when it has started or ended."""
    changed = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.QUEUED).update(
        state=Analysis.State.CANCELLED, finished_at=timezone.now()
    )
    if not changed:
        running = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.RUNNING).exists()
        raise Conflict(f"The analysis has already {'started' if running else 'ended'} and cannot be cancelled.")
    transaction.on_commit(lambda: publish_finished([analysis.pk]))
    logger.info("analysis_cancelled", analysis=str(analysis.pk), by=by.pk)
