"""The first step of the pipeline: from claims to images as the network wants them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from classifier.inference.analyser import Analyser, ModelInput
from classifier.inference.preprocessing import UInt8Array
from classifier.intake import read_canonical
from classifier.queue.claim import Claim
from classifier.worker.in_flight import InFlight
from classifier.worker.measurements import Measurements
from classifier.worker.priority import set_lowest_priority, set_priority_below_network
from classifier.worker.result_writer import ResultWriter

logger = structlog.get_logger(__name__)

# More readers than this only fight for the interpreter's lock.
READERS = 4

UNREADABLE = ("image_unreadable", "The stored image could not be read. Upload the file again.")


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed analyses of one model, with their images as its network wants them."""

    analyser: Analyser
    claims: list[Claim]
    prepared: ModelInput

    def singles(self) -> "Iterator[Batch]":
        """The same analyses, one by one."""
        for index, claim in enumerate(self.claims):
            yield Batch(self.analyser, [claim], self.prepared[index])


class BatchLoader:
    """Makes batches of claims, with several readers side by side."""

    def __init__(
        self, *, load: Callable[[str], Analyser], in_flight: InFlight, writer: ResultWriter, measurements: Measurements
    ) -> None:
        """Prepares the readers.

        Args:
            load: gives the analyser of a model by its name.
            in_flight: Receives the progress.
            writer: ends what cannot be read.
            measurements: is told how long it took.
        """
        self._load = load
        self._in_flight, self._writer, self._measurements = in_flight, writer, measurements
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read", initializer=set_lowest_priority)
        # A thread of its own: what loads a model passes its priority on to the network's threads.
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="prepare", initializer=set_priority_below_network)

    def prepare(self, claims: list[Claim], *, model: str) -> list[Batch]:
        """Read and preprocess claims of one model; what cannot be read is ended here and takes no other along."""
        began = time.monotonic()
        readable = [(claim, pixels) for claim, pixels in self._read_images(claims) if pixels is not None]
        if not readable:
            return []
        try:
            analyser = self._load(model)
        except Exception as error:
            for claim, _ in readable:
                self._writer.release(claim, error=error)
            return []
        batches = []
        try:
            batches.append(self._batch(analyser, readable))
        except Exception as error:
            logger.warning("batch_split", step="prepare", size=len(readable), error=repr(error))
            for claim, pixels in readable:
                try:
                    batches.append(self._batch(analyser, [(claim, pixels)]))
                except Exception as own_error:
                    self._writer.release(claim, error=own_error)
        self._in_flight.progress()
        self._measurements.decode_seconds.observe(time.monotonic() - began)
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
            self._writer.fail(claim, *UNREADABLE)
        except Exception as error:
            self._writer.release(claim, error=error)
        return None

    def _batch(self, analyser: Analyser, readable: list[tuple[Claim, UInt8Array]]) -> Batch:
        prepared = self._preparer.submit(analyser.prepare, [pixels for _, pixels in readable]).result()
        return Batch(analyser, [claim for claim, _ in readable], prepared)
