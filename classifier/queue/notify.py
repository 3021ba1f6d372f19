"""Notify the workers of new rows in the queue."""

from typing import Any

from celery import current_app
from kombu.exceptions import ChannelError

from classifier.queue.broker import try_publish


def notify_workers() -> bool:
    """Notify the workers that the queue has rows. Return True if the broker accepted the message; never raise.

    One undelivered message covers every row committed before a worker reads it, so a thousand uploads to a busy
    worker leave one message.
    """
    return try_publish(_notify)


def notify_archive_workers() -> bool:
    """Notify the workers that archives of reports wait. Return True if the broker accepted the message; never raise."""
    task = "classifier.make_report_archives"
    return try_publish(lambda producer: current_app.send_task(task, producer=producer, retry=False))


def notify_assistant_workers() -> bool:
    """Notify the workers that language models are asked. Return True if the broker took the message; never raise."""
    task = "classifier.run_assistant"
    return try_publish(lambda producer: current_app.send_task(task, producer=producer, retry=False))


def _notify(producer: Any) -> None:
    if not _has_message(producer.channel):
        current_app.send_task("classifier.process_queue", producer=producer, retry=False)


def _has_message(channel: Any) -> bool:
    try:
        undelivered: int = channel.queue_declare(current_app.conf.task_default_queue, passive=True).message_count
    except ChannelError:  # The queue does not exist before its first message.
        return False
    return undelivered > 0
