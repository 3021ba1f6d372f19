"""Telling the workers that there is something in the queue.

The row is the truth; the message only saves the wait until a worker looks by itself. So nothing here may fail an
upload, and a broker that is away or silent may cost one upload a moment, not every upload.
"""

import functools
import time
from threading import Lock
from typing import Any

import structlog
from celery.exceptions import OperationalError as CeleryOperationalError
from kombu import pools
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError
from redis.exceptions import RedisError

from brainscan.celery import app

logger = structlog.get_logger(__name__)

# A broker answers within a millisecond. To ask takes up to three answers, and the upload waits for them.
ANSWER_SECONDS = 0.5
# After a failed ring the workers' own looks are trusted for this long before the broker is tried again.
SILENCE_SECONDS = 10.0
BROKER_ERRORS = (OperationalError, CeleryOperationalError, LimitExceeded, RedisError, OSError)

_lock = Lock()
_silent_until = 0.0


def ring() -> bool:
    """See to it that a worker looks at the queue. Returns whether one will; never raises for a broker that is away.

    A message that nobody has taken yet does for all rows that were committed before it is taken, so a thousand
    uploads that meet a busy worker leave one message and not a thousand.
    """
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        with _producers().acquire(block=True, timeout=SILENCE_SECONDS) as producer:
            if not _is_ringing(producer.channel):
                app.send_task("classifier.analyse", producer=producer, retry=False)
    except BROKER_ERRORS as error:
        with _lock:
            _silent_until = time.monotonic() + SILENCE_SECONDS
        logger.warning("doorbell_failed", error=str(error), tried_again_after_seconds=SILENCE_SECONDS)
        return False
    return True


@functools.cache
def _producers() -> Any:
    """Kombu's pool of producers that wait for the broker more shortly than Celery's own, which workers listen with."""
    connection = app.connection_for_write()
    short = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    connection.transport_options = connection.transport_options | short
    return pools.producers[connection]


def _is_ringing(channel: Any) -> bool:
    try:
        waiting: int = channel.queue_declare(app.conf.task_default_queue, passive=True).message_count
    except ChannelError:  # Nobody has used the queue yet.
        return False
    return waiting > 0
