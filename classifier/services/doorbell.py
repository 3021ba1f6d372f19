"""Telling the workers that there is something in the queue.

The row is the truth; the message only saves the wait for the next sweep. So nothing here may fail an upload, and a
broker that is away or silent may cost one upload a moment, not every upload.
"""

import time
from threading import Lock

import structlog
from celery.exceptions import OperationalError as CeleryOperationalError
from kombu.exceptions import OperationalError

from brainscan.celery import app

logger = structlog.get_logger(__name__)

# After a failed ring the sweeper is trusted for this long before the broker is tried again.
SILENCE_SECONDS = 10.0

_lock = Lock()
_silent_until = 0.0


def ring() -> bool:
    """Send one `analyse` message. Returns whether it was sent; never raises for a broker that is away."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        app.send_task("classifier.analyse", retry=False)
    except (OperationalError, CeleryOperationalError, OSError) as error:
        with _lock:
            _silent_until = time.monotonic() + SILENCE_SECONDS
        logger.warning("doorbell_failed", error=str(error), tried_again_after_seconds=SILENCE_SECONDS)
        return False
    return True
