"""Celery tasks and signal handlers. The work itself is in `classifier.worker`."""

from threading import Event
from typing import TYPE_CHECKING, Any

import structlog
from celery import shared_task, signals
from django.conf import settings
from django.db import Error as AnyDatabaseError

from classifier.assistant import jobs
from classifier.integrations.webhooks import messages, sending
from classifier.queue import claim
from classifier.reports import archive
from classifier.selectors.model import default_model
from classifier.services import (
    assistant,
    conversation,
    explanation,
    notification,
    notification_email,
    picture_check,
    report_archive,
    scan_counts,
    storage,
)
from classifier.services.model import record_model_version

if TYPE_CHECKING:
    from classifier.worker.process import Worker

logger = structlog.get_logger(__name__)

_stopping = Event()
"""Set when this worker process stops."""

_worker: "Worker | None" = None
"""The worker of this process; None in web processes."""


@shared_task(name="classifier.process_queue")
def process_queue() -> None:
    """Wake the pipeline. The task has no arguments, because the rows of the queue say what to do."""
    wake()


@shared_task(name="classifier.sweep")
def sweep() -> None:
    """Recover from lost messages and dead workers."""
    claim.sweep()
    scan_counts.merge_counts()
    report_archive.sweep_archives()
    explanation.sweep_explanations()
    conversation.sweep_messages()
    picture_check.sweep_checks()
    assistant.fail_interrupted_tests()


@shared_task(name="classifier.remove_orphaned_files")
def remove_orphaned_files() -> None:
    """Remove images without a row. A process that dies between writing the file and the row leaves them."""
    storage.remove_orphaned_files()
    report_archive.remove_orphaned_archives()
    notification.remove_old_notifications()
    messages.remove_old_messages()


@shared_task(name="classifier.make_report_archives")
def make_report_archives() -> None:
    """Make the archives of reports that wait. The pipeline has threads of its own and does not wait for this."""
    archive.make_archives(_stopping)


@shared_task(name="classifier.run_assistant")
def run_assistant() -> None:
    """Ask language models for the explanations that wait, in threads of their own."""
    jobs.start(_stopping)


@shared_task(name="classifier.notify_people")
def notify_people() -> None:
    """Make notifications of new events, and send those that people want by e-mail."""
    notification.make_notifications()
    notification_email.send_due_emails(site=settings.SITE_URL)


@shared_task(name="classifier.deliver_webhooks")
def deliver_webhooks() -> None:
    """Make the messages to webhooks, and send those that are due."""
    messages.make_messages(site=settings.SITE_URL)
    sending.send_due_messages()


@signals.worker_init.connect
def start(**_: Any) -> None:
    """Load the network and start the pipeline, so that the first analysis is as fast as the next."""
    from classifier.inference.registry import ModelError
    from classifier.worker import process

    global _worker
    # What staff chose may be damaged, or the database away: the model of the environment still analyzes uploads.
    for model in dict.fromkeys((_chosen_model(), settings.MODEL)):
        try:
            _worker = process.Worker(model)
            _record_version()
            return
        except ModelError as error:
            logger.error("model_unusable", model=model, engine=settings.ENGINE, error=str(error))
    # A worker without its network would fail every scan it claims. Celery catches exceptions here, but not exits.
    raise SystemExit(1)


def _record_version() -> None:
    assert _worker is not None
    try:
        record_model_version(*_worker.model)
    except AnyDatabaseError as error:
        logger.warning("model_version_unrecorded", error=repr(error))


def _chosen_model() -> str:
    try:
        return default_model()
    except AnyDatabaseError as error:
        logger.warning("default_model_unknown", error=repr(error))
        return str(settings.MODEL)


@signals.task_prerun.connect
def wake(**_: Any) -> None:
    """Wake the pipeline on any message: one that waited in the broker may have suppressed a notification."""
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
    """Finish the batch in the network and return the rest to the queue."""
    if _worker is not None:
        _worker.stop()
