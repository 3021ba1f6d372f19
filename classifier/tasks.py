"""Celery tasks and signals: doorbells and the life of a worker process. The work itself is in `classifier.worker`."""

from threading import Event
from typing import TYPE_CHECKING, Any

import structlog
from celery import shared_task, signals
from django.conf import settings

from classifier.queue import claim
from classifier.reports import archive
from classifier.services import report_archive, storage

if TYPE_CHECKING:
    from classifier.worker.process import Worker

logger = structlog.get_logger(__name__)

_stopping = Event()
"""Set when this worker process stops."""

_worker: "Worker | None" = None
"""The one of this process; none in web processes."""


@shared_task(name="classifier.process_queue")
def process_queue() -> None:
    """Wake the pipeline. Carries no argument: the rows say what there is to do."""
    wake()


@shared_task(name="classifier.sweep")
def sweep() -> None:
    """Find what a lost message or a dead worker left behind."""
    claim.sweep()
    report_archive.sweep_archives()


@shared_task(name="classifier.remove_orphaned_files")
def remove_orphaned_files() -> None:
    """Remove images whose row does not exist: a process died between writing the one and the other."""
    storage.remove_orphaned_files()
    report_archive.remove_orphaned_archives()


@shared_task(name="classifier.make_report_archives")
def make_report_archives() -> None:
    """Make the archives of reports that wait. The pipeline has threads of its own and does not wait for this."""
    archive.make_archives(_stopping)


@signals.worker_init.connect
def start(**_: Any) -> None:
    """Load the network and start the pipeline, so the first analysis is as fast as the next."""
    from classifier.inference.registry import ModelError
    from classifier.worker import process

    global _worker
    try:
        analyser = process.load_analyser(settings.MODEL)
    except ModelError as error:
        # A worker without its network would fail every scan it claims. Celery catches exceptions here, not exits.
        logger.error("model_unusable", model=settings.MODEL, engine=settings.ENGINE, error=str(error))
        raise SystemExit(1) from error
    _worker = process.Worker(analyser)


@signals.task_prerun.connect
def wake(**_: Any) -> None:
    """Wake the pipeline at any message: one that lay before a doorbell in the queue has silenced it."""
    if _worker is not None:
        _worker.pipeline.wake()


@signals.worker_shutting_down.connect
def stop_claiming(**_: Any) -> None:
    """Take nothing further."""
    _stopping.set()
    if _worker is not None:
        _worker.pipeline.stop_claiming()


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    """Finish what is in the network, and give the rest back."""
    if _worker is not None:
        _worker.stop()
