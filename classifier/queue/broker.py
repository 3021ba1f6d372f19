"""Messages over the broker. Any of them may be lost.

The row is the truth; a message only saves somebody the wait until the next look of their own. So nothing here may fail
an upload or a result, and a broker that is away or silent may cost one of them a moment, not every one.
"""

import functools
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import structlog
from celery import current_app
from celery.exceptions import OperationalError as CeleryOperationalError
from kombu import pools
from kombu.exceptions import LimitExceeded, OperationalError
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

# A broker answers within a millisecond. A message takes up to three answers, and somebody waits for them.
ANSWER_SECONDS = 0.5
# After a failed message the others' own looks are trusted for this long before the broker is tried again.
SILENCE_SECONDS = 10.0
AWAY = (OperationalError, CeleryOperationalError, LimitExceeded, RedisError, OSError)

_lock = Lock()
_silent_until = 0.0


def talk(say: Callable[[Any], object]) -> bool:
    """Call `say` with a kombu producer. Returns whether that went well; never raises."""
    if _is_silent():
        return False
    try:
        with _producers().acquire(block=True, timeout=SILENCE_SECONDS) as producer:
            # Whoever had the producer before may just have found out.
            return not _is_silent() and _say(say, producer)
    except AWAY as error:
        _fall_silent(error)
    except Exception:
        # What was to be told is committed, and must not fail for want of a message.
        logger.exception("message_lost")
    return False


def _say(say: Callable[[Any], object], producer: Any) -> bool:
    try:
        say(producer)
    except AWAY as error:
        _fall_silent(error)
        return False
    return True


def _is_silent() -> bool:
    return time.monotonic() < _silent_until


def _fall_silent(error: Exception) -> None:
    global _silent_until
    with _lock:
        _silent_until = time.monotonic() + SILENCE_SECONDS
    logger.warning("broker_silent", error=str(error), tried_again_after_seconds=SILENCE_SECONDS)


@functools.cache
def _producers() -> Any:
    """Kombu's pool of producers that wait for the broker more shortly than Celery's own, which workers listen with."""
    connection = current_app.connection_for_write()
    # Kombu would try to connect again after 2 s, and after 4 s more: an upload would wait that long.
    short = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS, "max_retries": 0}
    connection.transport_options = connection.transport_options | short
    return pools.producers[connection]
