"""The pipeline: claim and read → network → write, each step in its own thread.

```
  wake ──► claims thread ──(one batch)──► forward thread ──(two batches)──► writing thread
           claim, read, preprocess        the network                       decide, store
```

While one batch is in the network, the next one is read and the previous one is stored, so the network never waits. The
queues between the steps are short, so a claimed analysis starts soon. A fourth thread renews the leases of everything
in flight.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread

import structlog
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection

from classifier.inference.analyzer import Analyzer, ModelOutput
from classifier.queue.claim import Claim, Result, claim_analyses, renew_leases
from classifier.queue.notify import notify_workers
from classifier.worker.batch_loader import Batch, BatchLoader
from classifier.worker.in_flight import InFlight
from classifier.worker.measurements import Measurements
from classifier.worker.priority import set_priority_below_network
from classifier.worker.result_writer import DATABASE_PAUSE_SECONDS, ResultWriter
from classifier.worker.watchdog import Watchdog

logger = structlog.get_logger(__name__)

# The pipeline polls the queue this often, so an unavailable broker delays an analysis by seconds at most.
POLL_SECONDS = 5.0
# A full batch notifies other workers at most this often.
RENOTIFY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BatchOutput:
    """A batch with the network's output for it."""

    batch: Batch
    output: ModelOutput


class Pipeline:
    """Process the queue in background threads, from `start` to `stop`."""

    def __init__(self, *, load: Callable[[str], Analyzer], batch_size: int, lease_seconds: float, stuck_seconds: float):
        """Create the threads without starting them.

        Args:
            load: Returns the analyzer of a model by its name; called in the claims thread.
            batch_size: Largest number of analyses claimed at once.
            lease_seconds: Duration of a lease that is not renewed.
            stuck_seconds: Time without progress after which the watchdog ends the process.
        """
        self.measurements = Measurements()
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._wake, self._stopping, self._ended = Event(), Event(), Event()
        self._in_flight = InFlight(Watchdog(seconds=stuck_seconds))
        # A full queue blocks its producer, so that nothing is claimed long before it can start.
        self._batches: Queue[Batch | None] = Queue(maxsize=1)
        self._outputs: Queue[BatchOutput | None] = Queue(maxsize=2)
        self._writer = ResultWriter(in_flight=self._in_flight, measurements=self.measurements)
        self._loader = BatchLoader(
            load=load, in_flight=self._in_flight, writer=self._writer, measurements=self.measurements
        )
        # Daemon threads, so that a step that hangs cannot keep a stopping process alive.
        self._claims_thread = Thread(target=self._claim_all, name="claims", daemon=True)
        others = {"forward": self._forward_all, "write": self._write_all, "leases": self._keep_leases}
        self._threads = [self._claims_thread]
        self._threads += [Thread(target=step, name=name, daemon=True) for name, step in others.items()]
        self._renotified_at = 0.0

    def start(self) -> None:
        """Start the threads. They poll the queue at once: messages may have been lost while no worker ran."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Poll the queue now. Calls while a batch is being read cause a single poll."""
        self._wake.set()

    def stop_claiming(self) -> None:
        """Claim nothing further. Finish the batch in the network and return the waiting ones to the queue."""
        self._stopping.set()
        self._wake.set()

    def stop(self, *, seconds: float) -> bool:
        """Stop and wait. Return True if everything in flight ended within `seconds`."""
        until = time.monotonic() + seconds
        self.stop_claiming()
        # The thread may be inside a claim, whose rows count as in flight only once it returns.
        self._claims_thread.join(seconds)
        drained = self._in_flight.wait_until_empty(seconds=max(0.0, until - time.monotonic()))
        drained = drained and not self._claims_thread.is_alive()
        self._ended.set()
        return drained

    def wait_until_idle(self, *, seconds: float) -> bool:
        """Wait until nothing is in flight. Return True if that happened within `seconds`."""
        return self._in_flight.wait_until_empty(seconds=seconds)

    # --- claim and read -------------------------------------------------------------------------------------------

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            # Clear first, so that a notification during the poll is not lost.
            self._wake.clear()
            try:
                claims = self._claim()
            except Exception as error:
                # The rows are still in the queue, so poll again after any error.
                logger.warning("claim_failed", error=repr(error))
                self._stopping.wait(DATABASE_PAUSE_SECONDS)
                continue
            if not claims:
                self._wake.wait(POLL_SECONDS)
                continue
            if claims[0].analysis.is_retry:
                self._run_alone(claims)
            else:
                self._load_batches(claims)
        self._batches.put(None)
        connection.close()

    def _claim(self) -> list[Claim]:
        close_old_connections()
        claims = claim_analyses(limit=self._batch_size)
        if claims:
            self._in_flight.add(claims)
            for analysis in (claim.analysis for claim in claims if not claim.analysis.is_retry):
                assert analysis.started_at is not None
                self.measurements.queued_seconds.observe((analysis.started_at - analysis.queued_at).total_seconds())
        if len(claims) == self._batch_size and time.monotonic() - self._renotified_at > RENOTIFY_SECONDS:
            # One message wakes one worker. A full batch suggests more rows, so wake another.
            self._renotified_at = time.monotonic()
            notify_workers()
        return claims

    def _run_alone(self, claims: list[Claim]) -> None:
        """Run a retry with nothing else in flight, so that a crash affects no other analysis."""
        self._in_flight.wait_until_empty(but=len(claims))
        self._load_batches(claims)
        self._in_flight.wait_until_empty()

    def _load_batches(self, claims: list[Claim]) -> None:
        by_model: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_model[claim.analysis.model_name].append(claim)
        for name, group in by_model.items():
            for batch in self._loader.prepare(group, model=name):
                self._batches.put(batch)

    # --- the network ----------------------------------------------------------------------------------------------

    def _forward_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            if self._stopping.is_set():
                self._writer.give_back(batch.claims)
            else:
                self._forward(batch)
        self._outputs.put(None)
        connection.close()

    def _forward(self, batch: Batch) -> None:
        began = time.monotonic()
        try:
            output = batch.analyzer.forward(batch.model_input, cards=batch.cards())
        except Exception as error:
            if len(batch.claims) == 1:
                self._writer.release(batch.claims[0], error=error)
                return
            logger.warning("batch_split", step="forward", size=len(batch.claims), error=repr(error))
            for single in batch.singles():
                self._forward(single)
            return
        self._in_flight.progress()
        self.measurements.forward_seconds.observe(time.monotonic() - began)
        self.measurements.batch_size.observe(len(batch.claims))
        self._outputs.put(BatchOutput(batch, output))

    # --- write ----------------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        set_priority_below_network()
        while (item := self._outputs.get()) is not None:
            claims = item.batch.claims
            try:
                results = item.batch.analyzer.decide(item.output, cards=item.batch.cards())
            except Exception as error:
                for claim in claims:
                    self._writer.release(claim, error=error)
                continue
            version = item.batch.analyzer.card.version
            self._writer.write(
                [
                    Result(
                        claim,
                        result.decision,
                        result.class_maps,
                        version,
                        result.milliseconds,
                        appearance=result.appearance,
                        site_calibration=site,
                        logits=result.logits,
                    )
                    for claim, result, site in zip(claims, results, item.batch.site_calibrations(), strict=True)
                ]
            )
        self._ended.set()
        connection.close()

    # --- leases ---------------------------------------------------------------------------------------------------

    def _keep_leases(self) -> None:
        """Renew the leases of everything in flight. The watchdog, not an expired lease, ends a stuck process."""
        while not self._ended.wait(self._lease_seconds / 3):
            try:
                close_old_connections()
                renew_leases(self._in_flight.tokens())
            except AnyDatabaseError as error:
                logger.warning("leases_not_renewed", error=repr(error))
        connection.close()
