"""Request and cancel analyses. `classifier.queue.claim` holds what workers do with them."""

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Analysis, Scan, User
from classifier.queue.notify import notify_workers
from classifier.queue.order import assign_fair_turn
from classifier.queue.transitions import End, end_analyses
from classifier.selectors.model import available_models, default_model
from classifier.selectors.side_by_side import side_by_side
from classifier.services.errors import Conflict
from classifier.services.model import checked_model_name

logger = structlog.get_logger(__name__)


def request_analysis(scan: Scan, *, by: User, model: str | None = None) -> Analysis:
    """Queue a new analysis of a stored scan and make it the current one.

    Raises:
        Conflict: If an analysis with the same model is queued or running, or the scan has been deleted.
        Invalid: If the model does not exist.
    """
    try:
        with transaction.atomic():
            analysis = next_analysis(scan, by=by, model_name=checked_model_name(model, team=scan.team))
            analysis.save(force_insert=True)
            Scan.objects.filter(pk=scan.pk).update(current_analysis=analysis)
            transaction.on_commit(notify_workers)
    except IntegrityError as error:
        if not Scan.objects.filter(pk=scan.pk).exists():
            raise Conflict("This scan was deleted.") from error
        raise Conflict("An analysis of this scan with this model is already waiting or running.") from error
    scan.current_analysis = analysis
    return analysis


def retry_analysis(scan: Scan, *, by: User) -> Analysis:
    """Queue the current analysis of a scan again, with its model, or the default if that model is gone.

    Raises:
        Conflict: As `request_analysis`.
        Invalid: If no model is installed.
    """
    analysis = scan.current_analysis
    same = analysis is not None and analysis.model_name in available_models()
    return request_analysis(scan, by=by, model=analysis.model_name if analysis is not None and same else None)


def request_all_models(scan: Scan, *, by: User) -> list[Analysis]:
    """Queue an analysis by every installed model that has not analyzed the scan in its present version.

    The scan's current analysis stays the one that pages show; a scan without one gets that of its default model.

    Returns:
        The new analyses; empty if every model has analyzed the scan or is about to.

    Raises:
        Conflict: If the scan has been deleted.
    """
    made = []
    default = default_model(scan.team)
    with transaction.atomic():
        for name in sorted(side_by_side(by, scan).missing, key=lambda name: (name != default, name)):
            analysis = next_analysis(scan, by=by, model_name=name)
            try:
                with transaction.atomic():
                    analysis.save(force_insert=True)
            except IntegrityError:
                # Requested in another window a moment ago.
                continue
            made.append(analysis)
        if made and scan.current_analysis_id is None:
            Scan.objects.filter(pk=scan.pk).update(current_analysis=made[0])
        if not Scan.objects.filter(pk=scan.pk).exists():
            raise Conflict("This scan was deleted.")
        transaction.on_commit(notify_workers)
    logger.info("all_models_requested", scan=str(scan.pk), by=by.pk, analyses=len(made))
    return made


def next_analysis(scan: Scan, *, by: User, model_name: str) -> Analysis:
    """Return an unsaved queued analysis with its fair turn. The caller saves it and notifies the workers on commit."""
    fair_turn, bulk = assign_fair_turn(by)
    return Analysis(
        scan=scan, requested_by=by, model_name=model_name, available_at=timezone.now(), fair_turn=fair_turn, bulk=bulk
    )


def cancel_analysis(analysis: Analysis, *, by: User) -> None:
    """Cancel a queued analysis.

    Raises:
        Conflict: If it has started or ended.
    """
    end = End(
        analysis_id=analysis.pk,
        scan_id=analysis.scan_id,
        condition=Q(state=Analysis.State.QUEUED),
        state=Analysis.State.CANCELLED,
        payload={"model": analysis.model_name},
    )
    if not end_analyses([end], actor=by):
        running = Analysis.objects.filter(pk=analysis.pk, state=Analysis.State.RUNNING).exists()
        raise Conflict(f"The analysis has already {'started' if running else 'ended'} and cannot be canceled.")
    logger.info("analysis_cancelled", analysis=str(analysis.pk), by=by.pk)
