"""Telling the workers that there is something in the queue."""

from typing import Any

from celery import current_app
from kombu.exceptions import ChannelError

from classifier.queue.broker import talk


def ring() -> bool:
    """See to it that a worker looks at the queue. Returns whether one will; never raises.

    A message that nobody has taken yet does for all rows that were committed before it is taken, so a thousand
    uploads that meet a busy worker leave one message and not a thousand.
    """
    return talk(_ring)


def _ring(producer: Any) -> None:
    if not _is_ringing(producer.channel):
        current_app.send_task("classifier.analyse", producer=producer, retry=False)


def _is_ringing(channel: Any) -> bool:
    try:
        waiting: int = channel.queue_declare(current_app.conf.task_default_queue, passive=True).message_count
    except ChannelError:  # Nobody has used the queue yet.
        return False
    return waiting > 0
