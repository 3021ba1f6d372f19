"""Uploads as a careful client makes them: each under a key of its own, sent again until it is taken."""

import json
import time
import urllib.error
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from threading import Event

import numpy as np
from PIL import Image

from devtools.client import SAMPLES, upload
from devtools.corpus.pictures import encoded
from tests.system.chaos.faults.chaos_patterns import PATTERNS
from tests.system.chaos.installation import Installation

THREADS = 2
RETRY_SECONDS = 0.3
PATTERN_SIDE = 256


@dataclass(frozen=True)
class Refusal:
    """An answer that was no acceptance: its status and text, or 0 and why there was none."""

    status: int
    text: str
    seconds: float


@dataclass
class Upload:
    """The outcome of one upload.

    Attributes:
        scan: the accepted scan.
        status: of the acceptance; 200 if it had been taken before.
        seconds: how long the acceptance took.
        refusals: what came before it.
    """

    scan: uuid.UUID
    status: int
    seconds: float
    refusals: list[Refusal] = field(default_factory=list)


class Load:
    """Uploads to one installation, by a few threads at once."""

    def __init__(self, installation: Installation, *, patience: float = 120) -> None:
        self.installation = installation
        self.patience = patience
        self.uploads: list[Upload] = []
        self._threads = ThreadPoolExecutor(THREADS)
        self._given_up = Event()
        self._begun: list[Future[Upload]] = []

    def begin(self, images: Iterable[Path | bytes]) -> None:
        """Send images in the background."""
        self._begun += [self._threads.submit(self._send, image) for image in images]

    def finish(self) -> list[Upload]:
        """Wait until all that was begun is accepted, and return those uploads."""
        done = [future.result() for future in self._begun]
        self._begun = []
        self.uploads += done
        return done

    def send(self, images: Iterable[Path | bytes]) -> list[Upload]:
        """Send images and wait until all are accepted."""
        self.begin(images)
        return self.finish()

    def give_up(self) -> None:
        """Send nothing further: the scenario is over, one way or the other."""
        self._given_up.set()
        self._threads.shutdown(cancel_futures=True)

    def _send(self, image: Path | bytes) -> Upload:
        key, refusals = uuid.uuid4().hex, []
        deadline = time.monotonic() + self.patience
        while True:
            begin = time.monotonic()
            try:
                status, scan = upload(
                    self.installation.app, image, token=self.installation.token, idempotency_key=key, seconds=60
                )
                return Upload(uuid.UUID(scan["id"]), status, time.monotonic() - begin, refusals)
            except urllib.error.HTTPError as error:
                refusals.append(Refusal(error.code, error.read().decode(), time.monotonic() - begin))
            except OSError as error:
                refusals.append(Refusal(0, repr(error), time.monotonic() - begin))
            assert time.monotonic() < deadline, f"not accepted within {self.patience} s: {refusals[-1]}"
            if self._given_up.wait(RETRY_SECONDS):
                raise CancelledError


def scans(count: int) -> Iterator[Path]:
    """The sample scans, over and over."""
    return islice(cycle(SAMPLES), count)


def pattern(fault: str) -> bytes:
    """The image that carries a fault of `tests/system/chaos/faults`."""
    bits = next(bits for bits, name in PATTERNS.items() if name == fault)
    fields = np.array([int(bit) for bit in bits], np.uint8).reshape(4, 4) * 255
    picture = np.kron(fields, np.ones((PATTERN_SIDE // 4, PATTERN_SIDE // 4), np.uint8))
    return encoded(Image.fromarray(picture), "PNG")


def sentence_of(refusal: Refusal) -> str:
    """What a refusal says to people, or ""."""
    try:
        return str(json.loads(refusal.text)["errors"][0]["detail"])
    except (ValueError, LookupError, TypeError):
        return ""
