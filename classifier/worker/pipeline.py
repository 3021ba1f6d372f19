"""The pipeline: claim and read → network → write, each step in a thread of its own.

```
  bell ──► claims thread ──(one batch)──► forward thread ──(two batches)──► writing thread
           claim, read, preprocess        the network                       decide, store
```

While one batch is in the network, the next is read and the one before is stored, so the network never waits. The
queues between the steps are short: what is claimed is started soon. A fourth thread keeps the leases of everything
in hand, and reports that the process lives.
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

from classifier.inference.analyser import Analyser, ModelOutput
from classifier.queue.claim import Claim, Result, claim_analyses, renew_leases
from classifier.queue.notify import notify_workers
from classifier.worker.batch_loader import Batch, BatchLoader
from classifier.worker.in_flight import InFlight
from classifier.worker.measurements import Measurements
from classifier.worker.priority import set_priority_below_network
from classifier.worker.result_writer import DATABASE_PAUSE_SECONDS, ResultWriter
from classifier.worker.watchdog import Watchdog

logger = structlog.get_logger(__name__)

# Without any message the queue is looked at this often, so a broker that is away costs seconds and nothing else.
POLL_SECONDS = 5.0
# The bell is passed on to other workers at most this often.
RENOTIFY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that has been through the network."""

    batch: Batch
    forwarded: ModelOutput


class Pipeline:
    """Works off the queue in threads of its own, from `start` to `stop`."""

    def __init__(self, *, load: Callable[[str], Analyser], batch_size: int, lease_seconds: float, stuck_seconds: float):
        """Prepares the threads; none runs yet.

        Args:
            load: gives the analyser of a model by its name; called in the claims thread.
            batch_size: how many analyses are claimed at once.
            lease_seconds: how long a claim holds without renewal.
            stuck_seconds: after how long without any progress the process is ended.
        """
        self.measurements = Measurements()
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._wake, self._stopping, self._ended = Event(), Event(), Event()
        self._in_flight = InFlight(Watchdog(seconds=stuck_seconds))
        # A full queue holds its producer back: nothing is claimed long before it can be started.
        self._read: Queue[Batch | None] = Queue(maxsize=1)
        self._done: Queue[Done | None] = Queue(maxsize=2)
        self._writer = ResultWriter(in_flight=self._in_flight, measurements=self.measurements)
        self._loader = BatchLoader(
            load=load, in_flight=self._in_flight, writer=self._writer, measurements=self.measurements
        )
        # Daemons, so that a step which hangs cannot keep a process alive that was told to end.
        self._claims_thread = Thread(target=self._claim_all, name="claims", daemon=True)
        others = {"forward": self._forward_all, "write": self._write_all, "leases": self._keep_leases}
        self._threads = [self._claims_thread]
        self._threads += [Thread(target=step, name=name, daemon=True) for name, step in others.items()]
        self._renotified_at = 0.0

    def start(self) -> None:
        """Begin, with a look at the queue: messages may have been lost while no worker ran."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at the queue now. Cheap: a thousand rings while a batch is read are one look."""
        self._wake.set()

    def stop_claiming(self) -> None:
        """Take nothing further. What is in the network is finished, what waits for it is given back."""
        self._stopping.set()
        self._wake.set()

    def stop(self, *, seconds: float) -> bool:
        """Stop and wait. Returns whether everything in hand had ended within `seconds`."""
        until = time.monotonic() + seconds
        self.stop_claiming()
        # A claim may be on its way from the database: it is in hand only when it has come.
        self._claims_thread.join(seconds)
        drained = self._in_flight.wait_until_empty(seconds=max(0.0, until - time.monotonic()))
        drained = drained and not self._claims_thread.is_alive()
        self._ended.set()
        return drained

    def wait_until_idle(self, *, seconds: float) -> bool:
        """Wait until nothing is in hand. Returns whether that came about within `seconds`."""
        return self._in_flight.wait_until_empty(seconds=seconds)

    # --- claim and read -------------------------------------------------------------------------------------------

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the look: whoever rings during it is not overheard.
            self._wake.clear()
            try:
                claims = self._claim()
            except Exception as error:
                # Whatever it is, the rows are there: look again rather than never.
                logger.warning("claim_failed", error=repr(error))
                self._stopping.wait(DATABASE_PAUSE_SECONDS)
                continue
            if not claims:
                self._wake.wait(POLL_SECONDS)
                continue
            if claims[0].analysis.is_retry:
                self._take_alone(claims)
            else:
                self._read_and_pass(claims)
        self._read.put(None)
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
            # One message woke one worker. There is more than it can take: wake another.
            self._renotified_at = time.monotonic()
            notify_workers()
        return claims

    def _take_alone(self, claims: list[Claim]) -> None:
        """Run what was tried before with nothing else in hand: if it ends the process, it ends nothing else."""
        self._in_flight.wait_until_empty(but=len(claims))
        self._read_and_pass(claims)
        self._in_flight.wait_until_empty()

    def _read_and_pass(self, claims: list[Claim]) -> None:
        by_model: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_model[claim.analysis.model_name].append(claim)
        for name, group in by_model.items():
            for batch in self._loader.prepare(group, model=name):
                self._read.put(batch)

    # --- the network ----------------------------------------------------------------------------------------------

    def _forward_all(self) -> None:
        while (batch := self._read.get()) is not None:
            if self._stopping.is_set():
                self._writer.give_back(batch.claims)
            else:
                self._forward(batch)
        self._done.put(None)
        connection.close()

    def _forward(self, batch: Batch) -> None:
        began = time.monotonic()
        try:
            forwarded = batch.analyser.forward(batch.prepared)
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
        self._done.put(Done(batch, forwarded))

    # --- write ----------------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        set_priority_below_network()
        while (done := self._done.get()) is not None:
            claims = done.batch.claims
            try:
                results = done.batch.analyser.decide(done.forwarded)
            except Exception as error:
                for claim in claims:
                    self._writer.release(claim, error=error)
                continue
            version = done.batch.analyser.card.version
            self._writer.write(
                [
                    Result(claim, result.decision, result.class_maps, version, result.milliseconds)
                    for claim, result in zip(claims, results, strict=True)
                ]
            )
        self._ended.set()
        connection.close()

    # --- leases ---------------------------------------------------------------------------------------------------

    def _keep_leases(self) -> None:
        """Lengthen the leases of what is in hand. A process that stands still is ended by the watchdog instead."""
        while not self._ended.wait(self._lease_seconds / 3):
            try:
                close_old_connections()
                renew_leases(self._in_flight.tokens())
            except AnyDatabaseError as error:
                logger.warning("leases_not_renewed", error=repr(error))
        connection.close()
