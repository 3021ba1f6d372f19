"""Health checks for supervisors and load balancers. They are public and reveal nothing about patients or users."""

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

# A result is reused for this long, so any number of probes costs one check per second.
FRESH_SECONDS = 1.0
# A slower component counts as unavailable. Above the broker's timeout of 2 s, below that of usual probes.
ANSWER_SECONDS = 3.0


@login_not_required
@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process is alive."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 if uploads are accepted and analyzed, else 503 with the failing checks, within `ANSWER_SECONDS`."""
    found = check_components()
    good = all(found.values())
    body = {"status": "ok" if good else "unavailable", "checks": found}
    return JsonResponse(body, status=200 if good else 503)


class Check:
    """Check one component in a background thread, one check at a time and at most once per second. Thread-safe.

    A component that hangs therefore occupies only one thread, and every probe is answered in time.
    """

    def __init__(self, name: str, look: Callable[[], None]) -> None:
        """Store the component's name and the function that raises an exception if it is unavailable."""
        self.name = name
        self._look = look
        self._changed = threading.Condition()
        self._looking = False
        self._looked_at = float("-inf")
        self._passed = False
        # Only changes are logged; a first success is not a change.
        self._told = True

    def begin(self) -> None:
        """Start a check, unless one is running or has just finished."""
        with self._changed:
            if not self._looking and time.monotonic() - self._looked_at >= FRESH_SECONDS:
                threading.Thread(target=self._run, name=f"health-{self.name}", daemon=True).start()
                self._looking = True

    def passes(self, *, asked_at: float) -> bool:
        """Return the newest result, or False if no check has finished `ANSWER_SECONDS` after `asked_at`.

        Only results older than `FRESH_SECONDS` at `asked_at` are waited for. A newer result counts even if another
        probe has started the next check meanwhile, so a component that hangs does not make the others look unavailable.

        Args:
            asked_at: Time of the probe, on the clock of `time.monotonic`; `begin` was called after it.
        """
        with self._changed:
            timeout = asked_at + ANSWER_SECONDS - time.monotonic()
            if not self._changed.wait_for(lambda: self._looked_at >= asked_at - FRESH_SECONDS, timeout=timeout):
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
                # Database connections belong to threads, and this thread ends.
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
        """Log a change. The response does not contain the reason, because it is public."""
        passes = error is None
        if passes == self._told:
            return
        self._told = passes
        if passes:
            logger.info("health_check_passes", check=self.name)
        else:
            logger.warning("health_check_fails", check=self.name, error=repr(error))


def _look_at_database() -> None:
    """Read a table. Merely connecting is not enough, because SQLite creates a missing file."""
    Scan.objects.exists()


def _look_at_broker() -> None:
    """Ping the broker. The kernel accepts connections even for a process that hangs."""
    with current_app.connection_for_write() as broker:
        # One attempt is enough; the next probe tries again.
        broker.ensure_connection(max_retries=0)
        broker.default_channel.client.ping()


def _look_at_model() -> None:
    if model_card(settings.MODEL) is None:
        raise LookupError(f"No model card. Received: {settings.MODEL!r}")


def _look_at_worker() -> None:
    if not live_workers().exists():
        raise LookupError("No worker process has sent a heartbeat recently.")


CHECKS = (
    Check("database", _look_at_database),
    Check("broker", _look_at_broker),
    Check("model", _look_at_model),
    Check("worker", _look_at_worker),
)


def check_components() -> dict[str, bool]:
    """Return the components by name and whether each is available, within `ANSWER_SECONDS`."""
    asked_at = time.monotonic()
    for check in CHECKS:
        check.begin()
    return {check.name: check.passes(asked_at=asked_at) for check in CHECKS}
