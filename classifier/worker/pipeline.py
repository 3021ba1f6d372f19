"""The pipeline: claim and read → network → write, each step in a thread of its own.

```
  bell ──► claims thread ──(one batch)──► forward thread ──(two batches)──► writing thread
           claim, read, preprocess        the network                       decide, store
```

While one batch is in the network, the next is read and the one before is stored, so the network never waits. The
queues between the steps are short: what is claimed is started soon. A fourth thread keeps the leases of everything
in hand, and reports that the process lives.
"""

import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Queue
from threading import Condition, Event, Thread
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, InterfaceError, OperationalError, close_old_connections, connection

from classifier.inference.analyser import Analyser, Forwarded, Prepared
from classifier.inference.preprocessing import UInt8Array
from classifier.intake import read_canonical
from classifier.services import doorbell
from classifier.services.claim import (
    Claim,
    Result,
    claim_analyses,
    fail_analysis,
    finish_analyses,
    release_analysis,
    renew_leases,
    return_unstarted,
)
from classifier.worker.measurements import Measurements
from classifier.worker.watchdog import Watchdog

logger = structlog.get_logger(__name__)

# Without any message the queue is looked at this often, so a broker that is away costs seconds and nothing else.
LOOK_SECONDS = 5.0
# The pause before a database that is away is asked again.
DATABASE_PAUSE_SECONDS = 1.0
# More readers than this only fight for the interpreter's lock.
READERS = 4
LOWEST_PRIORITY = 19
# The bell is passed on to other workers at most this often.
PASS_ON_SECONDS = 1.0

UNREADABLE = ("image_unreadable", "The stored image could not be read. Upload the file again.")
Written = TypeVar("Written")
DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed analyses of one model, with their images as its network wants them."""

    analyser: Analyser
    claims: list[Claim]
    prepared: Prepared

    def singles(self) -> "Iterator[Batch]":
        """The same analyses, one by one."""
        for index, claim in enumerate(self.claims):
            yield Batch(self.analyser, [claim], self.prepared[index])


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that has been through the network."""

    batch: Batch
    forwarded: Forwarded


class InHand:
    """The claims that this process has taken and not yet ended."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._claims: dict[UUID, Claim] = {}
        self._changed = Condition()

    def take(self, claims: list[Claim]) -> None:
        """Add claims."""
        with self._changed:
            self._claims |= {claim.analysis.pk: claim for claim in claims}
            self._progress()

    def put_down(self, claims: list[Claim]) -> None:
        """Remove claims that have ended, however that was."""
        with self._changed:
            for claim in claims:
                self._claims.pop(claim.analysis.pk, None)
            self._progress()
            self._changed.notify_all()

    def progress(self) -> None:
        """Say that a step was done."""
        with self._changed:
            self._progress()

    def tokens(self) -> set[UUID]:
        """The tokens of all claims."""
        with self._changed:
            return {claim.token for claim in self._claims.values()}

    def wait_until_empty(self, *, but: int = 0, seconds: float | None = None) -> bool:
        """Wait until at most `but` claims are left. Returns whether that came about within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._claims) <= but, timeout=seconds)

    def _progress(self) -> None:
        if self._claims:
            self._watchdog.wind_up()
        else:
            self._watchdog.rest()


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
        self._load = load
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._bell, self._stopping, self._ended = Event(), Event(), Event()
        self._in_hand = InHand(Watchdog(seconds=stuck_seconds))
        # A full queue holds its producer back: nothing is claimed long before it can be started.
        self._read: Queue[Batch | None] = Queue(maxsize=1)
        self._done: Queue[Done | None] = Queue(maxsize=2)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read", initializer=_stand_back)
        steps = {"claims": self._claim_all, "forward": self._forward_all, "write": self._write_all}
        steps["leases"] = self._keep_leases
        # Daemons, so that a step which hangs cannot keep a process alive that was told to end.
        self._threads = [Thread(target=step, name=name, daemon=True) for name, step in steps.items()]
        self._passed_on_at = 0.0

    def start(self) -> None:
        """Begin, with a look at the queue: messages may have been lost while no worker ran."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Look at the queue now. Cheap: a thousand rings while a batch is read are one look."""
        self._bell.set()

    def stop_claiming(self) -> None:
        """Take nothing further. What is in the network is finished, what waits for it is given back."""
        self._stopping.set()
        self._bell.set()

    def stop(self, *, seconds: float) -> bool:
        """Stop and wait. Returns whether everything in hand had ended within `seconds`."""
        self.stop_claiming()
        drained = self._in_hand.wait_until_empty(seconds=seconds)
        self._ended.set()
        return drained

    def wait_until_idle(self, *, seconds: float) -> bool:
        """Wait until nothing is in hand. Returns whether that came about within `seconds`."""
        return self._in_hand.wait_until_empty(seconds=seconds)

    # --- claim and read -------------------------------------------------------------------------------------------

    def _claim_all(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the look: whoever rings during it is not overheard.
            self._bell.clear()
            try:
                claims = self._claim()
            except Exception as error:
                # Whatever it is, the rows are there: look again rather than never.
                logger.warning("claim_failed", error=repr(error))
                self._stopping.wait(DATABASE_PAUSE_SECONDS)
                continue
            if not claims:
                self._bell.wait(LOOK_SECONDS)
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
            self._in_hand.take(claims)
            for analysis in (claim.analysis for claim in claims if not claim.analysis.is_retry):
                assert analysis.started_at is not None
                self.measurements.queued_seconds.observe((analysis.started_at - analysis.queued_at).total_seconds())
        if len(claims) == self._batch_size and time.monotonic() - self._passed_on_at > PASS_ON_SECONDS:
            # One message woke one worker. There is more than it can take: wake another.
            self._passed_on_at = time.monotonic()
            doorbell.ring()
        return claims

    def _take_alone(self, claims: list[Claim]) -> None:
        """Run what was tried before with nothing else in hand: if it ends the process, it ends nothing else."""
        self._in_hand.wait_until_empty(but=len(claims))
        self._read_and_pass(claims)
        self._in_hand.wait_until_empty()

    def _read_and_pass(self, claims: list[Claim]) -> None:
        by_model: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_model[claim.analysis.model_name].append(claim)
        for name, group in by_model.items():
            for batch in self._prepare(group, model=name):
                self._read.put(batch)

    def _prepare(self, claims: list[Claim], *, model: str) -> list[Batch]:
        """Read and preprocess; what cannot be read is ended here and takes no other along."""
        began = time.monotonic()
        readable = [(claim, pixels) for claim, pixels in self._read_images(claims) if pixels is not None]
        if not readable:
            return []
        try:
            analyser = self._load(model)
        except Exception as error:
            for claim, _ in readable:
                self._release(claim, error=error)
            return []
        batches = []
        try:
            batches.append(_batch(analyser, readable))
        except Exception as error:
            logger.warning("batch_split", step="prepare", size=len(readable), error=repr(error))
            for claim, pixels in readable:
                try:
                    batches.append(_batch(analyser, [(claim, pixels)]))
                except Exception as own_error:
                    self._release(claim, error=own_error)
        self._in_hand.progress()
        self.measurements.decode_seconds.observe(time.monotonic() - began)
        return batches

    def _read_images(self, claims: list[Claim]) -> Iterator[tuple[Claim, UInt8Array | None]]:
        if len(claims) == 1:
            yield claims[0], self._read_image(claims[0])
            return
        yield from zip(claims, self._readers.map(self._read_image, claims), strict=True)

    def _read_image(self, claim: Claim) -> UInt8Array | None:
        try:
            with claim.analysis.scan.image.open("rb") as file:
                pixels: UInt8Array = read_canonical(file.read())
            return pixels
        except (FileNotFoundError, ValueError) as error:
            # Trying again would read the same bytes: this is for a person to mend.
            logger.error("image_unreadable", analysis=str(claim.analysis.pk), error=repr(error))
            self._fail(claim, *UNREADABLE)
        except Exception as error:
            self._release(claim, error=error)
        return None

    # --- the network ----------------------------------------------------------------------------------------------

    def _forward_all(self) -> None:
        while (batch := self._read.get()) is not None:
            if self._stopping.is_set():
                self._give_back(batch.claims)
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
                self._release(batch.claims[0], error=error)
                return
            logger.warning("batch_split", step="forward", size=len(batch.claims), error=repr(error))
            for single in batch.singles():
                self._forward(single)
            return
        self._in_hand.progress()
        self.measurements.forward_seconds.observe(time.monotonic() - began)
        self.measurements.batch_size.observe(len(batch.claims))
        self._done.put(Done(batch, forwarded))

    # --- write ----------------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        while (done := self._done.get()) is not None:
            claims = done.batch.claims
            try:
                results = done.batch.analyser.decide(done.forwarded)
            except Exception as error:
                for claim in claims:
                    self._release(claim, error=error)
                continue
            version = done.batch.analyser.card.version
            self._write(
                [
                    Result(claim, result.decision, result.class_maps, version, result.milliseconds)
                    for claim, result in zip(claims, results, strict=True)
                ]
            )
        self._ended.set()
        connection.close()

    def _write(self, results: list[Result]) -> None:
        began = time.monotonic()
        claims = [result.claim for result in results]
        try:
            held = self._insist(lambda: finish_analyses(results))
        except IntegrityError as error:
            # A scan was deleted between the statements of the transaction. The others must not suffer for it.
            if len(results) > 1:
                for result in results:
                    self._write([result])
                return
            logger.warning("result_not_storable", analysis=str(claims[0].analysis.pk), error=repr(error))
            held = 0
        except Exception as error:
            for claim in claims:
                self._release(claim, error=error)
            return
        self._in_hand.put_down(claims)
        self.measurements.write_seconds.observe(time.monotonic() - began)
        self.measurements.count("succeeded", number=held)
        self.measurements.count("late", number=len(claims) - held)

    def _fail(self, claim: Claim, code: str, message: str) -> None:
        self._end(claim, lambda: fail_analysis(claim, code=code, message=message), as_="failed")

    def _release(self, claim: Claim, *, error: Exception) -> None:
        self._end(claim, lambda: release_analysis(claim, error=error), as_="released")

    def _end(self, claim: Claim, write: Callable[[], bool], *, as_: str) -> None:
        try:
            self.measurements.count(as_ if self._insist(write) else "late")
        except AnyDatabaseError as error:
            # The lease runs out and the row is taken again.
            logger.error("not_written", analysis=str(claim.analysis.pk), error=repr(error))
        self._in_hand.put_down([claim])

    def _give_back(self, claims: list[Claim]) -> None:
        self._insist(lambda: return_unstarted(claims))
        self._in_hand.put_down(claims)

    def _insist(self, write: Callable[[], Written]) -> Written:
        """Write, again and again while the database is away: a result in hand is too dear to throw away."""
        while True:
            try:
                close_old_connections()
                return write()
            except DATABASE_AWAY as error:
                logger.warning("database_away", error=repr(error))
                self._in_hand.progress()
                time.sleep(DATABASE_PAUSE_SECONDS)

    # --- leases ---------------------------------------------------------------------------------------------------

    def _keep_leases(self) -> None:
        """Lengthen the leases of what is in hand. A process that stands still is ended by the watchdog instead."""
        while not self._ended.wait(self._lease_seconds / 3):
            try:
                close_old_connections()
                renew_leases(self._in_hand.tokens())
            except AnyDatabaseError as error:
                logger.warning("leases_not_renewed", error=repr(error))
        connection.close()


def _stand_back() -> None:
    """Let this thread run on what the network leaves (Linux: a priority is a thread's own).

    The network's threads wait for each other many times in a pass, so a processor that is taken from one of them for a
    moment is taken from all. Reading ahead can wait; and once the network has nothing to do, it runs at full speed.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _batch(analyser: Analyser, readable: list[tuple[Claim, UInt8Array]]) -> Batch:
    return Batch(analyser, [claim for claim, _ in readable], analyser.prepare([pixels for _, pixels in readable]))
