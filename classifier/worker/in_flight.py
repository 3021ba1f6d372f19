"""The analyses in flight: claimed by this process and not yet ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from uuid import UUID

from classifier.queue.claim import Claim
from classifier.worker.watchdog import Watchdog


class InFlight:
    """The claims of this process that have not yet ended."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._claims: dict[UUID, Claim] = {}
        self._allowances: list[float] = []
        self._changed = Condition()

    def add(self, claims: list[Claim]) -> None:
        """Add claims."""
        with self._changed:
            self._claims |= {claim.analysis.pk: claim for claim in claims}
            self._progress()

    def remove(self, claims: list[Claim]) -> None:
        """Remove claims that have ended in any way."""
        with self._changed:
            for claim in claims:
                self._claims.pop(claim.analysis.pk, None)
            self._progress()
            self._changed.notify_all()

    def progress(self) -> None:
        """Record that a step has finished."""
        with self._changed:
            self._progress()

    @contextmanager
    def long_step(self, *, seconds: float) -> Iterator[None]:
        """Allow the step in the block `seconds` without progress, instead of the watchdog's time."""
        with self._changed:
            self._allowances.append(seconds)
            self._progress()
        try:
            yield
        finally:
            with self._changed:
                self._allowances.remove(seconds)
                self._progress()

    def tokens(self) -> set[UUID]:
        """Return the tokens of all claims."""
        with self._changed:
            return {claim.token for claim in self._claims.values()}

    def wait_until_empty(self, *, but: int = 0, seconds: float | None = None) -> bool:
        """Wait until at most `but` claims are left. Return True if that happened within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._claims) <= but, timeout=seconds)

    def _progress(self) -> None:
        if self._claims:
            self._watchdog.restart(seconds=max(self._allowances, default=None))
        else:
            self._watchdog.stop()
