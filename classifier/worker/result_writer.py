"""The last step of the pipeline: store how claims end, also across outages of the database."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, InterfaceError, OperationalError, close_old_connections

from classifier.queue.claim import (
    Claim,
    Result,
    fail_analysis,
    finish_analyses,
    release_analysis,
    return_unstarted,
)
from classifier.worker.in_flight import InFlight
from classifier.worker.measurements import Measurements

logger = structlog.get_logger(__name__)

# The pause before another attempt to reach an unavailable database.
DATABASE_PAUSE_SECONDS = 1.0
DATABASE_AWAY = (OperationalError, InterfaceError)
Written = TypeVar("Written")


class ResultWriter:
    """Store the ends of claims and remove them from those in flight. Shared by all threads of the pipeline."""

    def __init__(self, *, in_flight: InFlight, measurements: Measurements) -> None:
        self._in_flight, self._measurements = in_flight, measurements

    def write(self, results: list[Result]) -> None:
        """Store results in one transaction. Drop those whose claim was lost meanwhile."""
        began = time.monotonic()
        claims = [result.claim for result in results]
        try:
            held = self._retry(lambda: finish_analyses(results))
        except IntegrityError as error:
            # A scan was deleted between the statements of the transaction. Store the other results one by one.
            if len(results) > 1:
                for result in results:
                    self.write([result])
                return
            logger.warning("result_not_storable", analysis=str(claims[0].analysis.pk), error=repr(error))
            held = 0
        except Exception as error:
            for claim in claims:
                self.release(claim, error=error)
            return
        self._in_flight.remove(claims)
        self._measurements.write_seconds.observe(time.monotonic() - began)
        self._measurements.count("succeeded", number=held)
        self._measurements.count("late", number=len(claims) - held)

    def fail(self, claim: Claim, code: str, message: str) -> None:
        """Fail an analysis permanently, with a message for its owner."""
        self._end(claim, lambda: fail_analysis(claim, code=code, message=message), as_="failed")

    def release(self, claim: Claim, *, error: Exception) -> None:
        """Queue an analysis for another attempt; after the last one, fail it."""
        self._end(claim, lambda: release_analysis(claim, error=error), as_="released")

    def give_back(self, claims: list[Claim]) -> None:
        """Return claims that were not started to the queue, without counting an attempt."""
        self._retry(lambda: return_unstarted(claims))
        self._in_flight.remove(claims)

    def _end(self, claim: Claim, write: Callable[[], bool], *, as_: str) -> None:
        try:
            self._measurements.count(as_ if self._retry(write) else "late")
        except AnyDatabaseError as error:
            # The lease expires, and a worker claims the row again.
            logger.error("not_written", analysis=str(claim.analysis.pk), error=repr(error))
        self._in_flight.remove([claim])

    def _retry(self, write: Callable[[], Written]) -> Written:
        """Retry `write` while the database is unavailable, so that no finished result is lost."""
        while True:
            try:
                close_old_connections()
                return write()
            except DATABASE_AWAY as error:
                logger.warning("database_away", error=repr(error))
                self._in_flight.progress()
                time.sleep(DATABASE_PAUSE_SECONDS)
