"""The first step of the pipeline: read the images of claims and preprocess them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from classifier.inference.analyzer import Analyzer, ModelInput
from classifier.inference.preprocessing import UInt8Array
from classifier.inference.registry import ModelCard, ModelError
from classifier.intake import read_canonical
from classifier.models import SiteCalibration
from classifier.queue.claim import Claim
from classifier.worker.in_flight import InFlight
from classifier.worker.measurements import Measurements
from classifier.worker.priority import set_lowest_priority, set_priority_below_network
from classifier.worker.result_writer import ResultWriter

logger = structlog.get_logger(__name__)

# More readers than this only compete for the interpreter's lock.
READERS = 4

# The first load of a model exports its graph, which takes a busy machine a minute. Longer than this, it hangs.
LOAD_SECONDS = 300.0

MODEL_UNUSABLE = "model_unusable"
UNUSABLE = (
    "The model “{model}” cannot be used on this server: it is not installed, or its files are damaged. Analyze the "
    "scan with another model, or tell your administrator."
)
UNREADABLE = ("image_unreadable", "The stored image could not be read. Upload the file again.")


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed analyses of one model, with their preprocessed images."""

    analyzer: Analyzer
    claims: list[Claim]
    model_input: ModelInput

    def site_calibrations(self) -> list[SiteCalibration | None]:
        """Return the site calibration of each image, if it was fitted on the weights that are loaded."""
        loaded = self.analyzer.card.version, self.analyzer.card.weights.sha256
        found = [claim.site_calibration for claim in self.claims]
        return [site if site is not None and site.fitted_on == loaded else None for site in found]

    def cards(self) -> list[ModelCard] | None:
        """Return the card that each image is decided with; None if it is the model's for all."""
        sites = self.site_calibrations()
        if not any(sites):
            return None
        card = self.analyzer.card
        return [card if site is None else card.at_site(site.values) for site in sites]

    def singles(self) -> "Iterator[Batch]":
        """Yield the same analyses as batches of one."""
        for index, claim in enumerate(self.claims):
            yield Batch(self.analyzer, [claim], self.model_input[index])


class BatchLoader:
    """Build batches from claims, with several readers in parallel."""

    def __init__(
        self, *, load: Callable[[str], Analyzer], in_flight: InFlight, writer: ResultWriter, measurements: Measurements
    ) -> None:
        """Create the readers.

        Args:
            load: Returns the analyzer of a model by its name.
            in_flight: Records the progress.
            writer: Ends analyses whose image cannot be read.
            measurements: Records the durations.
        """
        self._load = load
        self._in_flight, self._writer, self._measurements = in_flight, writer, measurements
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read", initializer=set_lowest_priority)
        # A separate thread: the thread that loads a model passes its priority on to the network's threads.
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="prepare", initializer=set_priority_below_network)

    def prepare(self, claims: list[Claim], *, model: str) -> list[Batch]:
        """Read and preprocess claims of one model. An image that cannot be read ends only its own analysis."""
        began = time.monotonic()
        readable = [(claim, pixels) for claim, pixels in self._read_images(claims) if pixels is not None]
        if not readable:
            return []
        try:
            with self._in_flight.long_step(seconds=LOAD_SECONDS):
                analyzer = self._load(model)
        except ModelError as error:
            # Another attempt would find the same files; a person has to choose another model or restore this one.
            logger.error("model_unusable", model=model, error=str(error))
            for claim, _ in readable:
                self._writer.fail(claim, MODEL_UNUSABLE, UNUSABLE.format(model=model))
            return []
        except Exception as error:
            for claim, _ in readable:
                self._writer.release(claim, error=error)
            return []
        batches = []
        try:
            batches.append(self._batch(analyzer, readable))
        except Exception as error:
            logger.warning("batch_split", step="prepare", size=len(readable), error=repr(error))
            for claim, pixels in readable:
                try:
                    batches.append(self._batch(analyzer, [(claim, pixels)]))
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
            # Another attempt would read the same bytes; a person has to fix this.
            logger.error("image_unreadable", analysis=str(claim.analysis.pk), error=repr(error))
            self._writer.fail(claim, *UNREADABLE)
        except Exception as error:
            self._writer.release(claim, error=error)
        return None

    def _batch(self, analyzer: Analyzer, readable: list[tuple[Claim, UInt8Array]]) -> Batch:
        model_input = self._preparer.submit(analyzer.prepare, [pixels for _, pixels in readable]).result()
        return Batch(analyzer, [claim for claim, _ in readable], model_input)
