"""Best-effort messages over the broker.

The rows are the truth, so any message may be lost. Publishing must never fail an upload or a result. A broker that is
down or silent may delay one publisher for a moment, never all of them.
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

# A broker answers within a millisecond. One message takes up to three round trips, and a request waits for them.
SOCKET_TIMEOUT = 0.5
# After a failure, publishing pauses for this long; polling covers the gap.
PAUSE_SECONDS = 10.0
UNREACHABLE = (OperationalError, CeleryOperationalError, LimitExceeded, RedisError, OSError)

_lock = Lock()
_paused_until = 0.0


def try_publish(publish: Callable[[Any], object]) -> bool:
    """Call `publish` with a kombu producer. Return True if it succeeded; never raise."""
    if _is_paused():
        return False
    try:
        with _producers().acquire(block=True, timeout=PAUSE_SECONDS) as producer:
            # Another thread may have found the broker down while this one waited for the producer.
            return not _is_paused() and _publish_or_pause(publish, producer)
    except UNREACHABLE as error:
        _pause(error)
    except Exception:
        # The rows are committed: a failed message must not fail their request.
        logger.exception("message_lost")
    return False


def _publish_or_pause(publish: Callable[[Any], object], producer: Any) -> bool:
    """Pause before the producer is released, so that the next thread in line sees it."""
    try:
        publish(producer)
    except UNREACHABLE as error:
        _pause(error)
        return False
    return True


def _is_paused() -> bool:
    return time.monotonic() < _paused_until


def _pause(error: Exception) -> None:
    global _paused_until
    with _lock:
        _paused_until = time.monotonic() + PAUSE_SECONDS
    logger.warning("broker_unreachable", error=str(error), retry_after_seconds=PAUSE_SECONDS)


@functools.cache
def _producers() -> Any:
    """Return kombu's pool of producers, with shorter timeouts than the connections on which workers listen."""
    connection = current_app.connection_for_write()
    # Without `max_retries`, kombu reconnects after 2 s and again after 4 s while the upload waits.
    options = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT, "max_retries": 0}
    connection.transport_options = connection.transport_options | options
    return pools.producers[connection]
