"""Health checks for supervisors and load balancers. Open to all; they tell nothing about anybody."""

import threading
import time
from collections.abc import Callable

import structlog
from celery import current_app
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from classifier.models import Scan
from classifier.queue.state import live_workers
from classifier.selectors.model import model_card

logger = structlog.get_logger(__name__)

# What was found this recently is told again, so a flood of probes costs one look a second.
FRESH_SECONDS = 1.0
# A part that takes longer cannot be relied on. Above the broker's own limit of 2 s, below that of any usual probe.
ANSWER_SECONDS = 3.0


@login_not_required
@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer at all: the process is alive."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when uploads are taken and analyzed, 503 with the failing parts otherwise, within `ANSWER_SECONDS`."""
    deadline = time.monotonic() + ANSWER_SECONDS
    for check in CHECKS:
        check.begin()
    found = {check.name: check.passes(deadline=deadline) for check in CHECKS}
    good = all(found.values())
    body = {"status": "ok" if good else "unavailable", "checks": found}
    return JsonResponse(body, status=200 if good else 503)


class Check:
    """Looks whether one part is there: in a thread of its own, one at a time, and no more than once a second.

    A part that hangs so costs one thread, whoever asks how often, and every probe is answered in time. Thread-safe.
    """

    def __init__(self, name: str, look: Callable[[], None]) -> None:
        """Takes the part's name and what raises an exception if it is not there."""
        self.name = name
        self._look = look
        self._changed = threading.Condition()
        self._looking = False
        self._looked_at = float("-inf")
        self._passed = False
        # Good news is no news: only what differs from the last told is logged.
        self._told = True

    def begin(self) -> None:
        """Start to look, unless somebody does or has just done so."""
        with self._changed:
            if not self._looking and time.monotonic() - self._looked_at >= FRESH_SECONDS:
                threading.Thread(target=self._run, name=f"health-{self.name}", daemon=True).start()
                self._looking = True

    def passes(self, *, deadline: float) -> bool:
        """Return whether the part is there; not, if that is unknown at `deadline` (of `time.monotonic`)."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._looking, timeout=deadline - time.monotonic()):
                self._tell(TimeoutError(f"no answer within {ANSWER_SECONDS} s"))
                return False
            return self._passed

    def _run(self) -> None:
        began = time.monotonic()
        error: Exception | None = None
        try:
            try:
                self._look()
            finally:
                # Connections belong to threads, and this one ends.
                connections.close_all()
        except Exception as raised:
            error = raised
        with self._changed:
            self._looking, self._looked_at = False, time.monotonic()
            if error is None and self._looked_at - began > ANSWER_SECONDS:
                error = TimeoutError(f"no answer within {ANSWER_SECONDS} s")
            self._passed = error is None
            self._tell(error)
            self._changed.notify_all()

    def _tell(self, error: Exception | None) -> None:
        """Log a change. Whoever asks for the health from outside learns no more than that it is not there."""
        passes = error is None
        if passes == self._told:
            return
        self._told = passes
        if passes:
            logger.info("health_check_passes", check=self.name)
        else:
            logger.warning("health_check_fails", check=self.name, error=repr(error))


def _look_at_database() -> None:
    """Read a table: where SQLite finds no file it makes an empty one, and is content."""
    Scan.objects.exists()


def _look_at_broker() -> None:
    """Ask the broker for an answer: the system accepts connections for a process that stands still."""
    with current_app.connection_for_write() as broker:
        # One attempt: the next probe is the second.
        broker.ensure_connection(max_retries=0)
        broker.default_channel.client.ping()


def _look_at_model() -> None:
    if model_card(settings.MODEL) is None:
        raise LookupError(f"No model card. Received: {settings.MODEL!r}")


def _look_at_worker() -> None:
    if not live_workers().exists():
        raise LookupError("No worker process has reported lately.")


CHECKS = (
    Check("database", _look_at_database),
    Check("broker", _look_at_broker),
    Check("model", _look_at_model),
    Check("worker", _look_at_worker),
)
