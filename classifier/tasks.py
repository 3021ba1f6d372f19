"""Celery tasks: doorbells that call the code which does the work."""

from typing import Any

import structlog
from celery import shared_task, signals
from django.conf import settings

from classifier.services import analysis, storage

logger = structlog.get_logger(__name__)


@shared_task(name="classifier.analyse")
def analyse() -> None:
    """Work off the queue. Carries no argument: the rows say what there is to do."""
    from classifier import worker

    worker.work_off_queue()


@shared_task(name="classifier.sweep")
def sweep() -> None:
    """Find what a lost message or a dead worker left behind."""
    analysis.sweep()


@shared_task(name="classifier.remove_orphaned_files")
def remove_orphaned_files() -> None:
    """Remove images whose row does not exist: a process died between writing the one and the other."""
    storage.remove_orphaned_files()


@signals.worker_init.connect
def prepare(**_: Any) -> None:
    """Load the network before the first message is taken, so the first analysis is as fast as the next."""
    from classifier import worker
    from classifier.inference.registry import ModelError

    try:
        worker.load_analyser(settings.MODEL)
    except ModelError as error:
        # A worker without its network would fail every scan it claims. Celery catches exceptions here, not exits.
        logger.error("model_unusable", model=settings.MODEL, engine=settings.ENGINE, error=str(error))
        raise SystemExit(1) from error


@signals.worker_ready.connect
def begin(**_: Any) -> None:
    """Look at the queue once: messages may have been lost while no worker ran."""
    analyse.delay()


@signals.worker_shutting_down.connect
def stop(**_: Any) -> None:
    """Finish the batch at hand and take no further one."""
    from classifier import worker

    worker.stopping.set()
