"""One engine in a separate process, which runs the commands of `bench/engines.py` and reports their times.

Alone in its process an engine shows its own memory, and no other's idle threads disturb it.
"""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import memory
from classifier.inference.appearance import appearance_statistics
from classifier.inference.engines.base import EngineOutput
from classifier.inference.preprocessing import Float32Array, UInt8Array, to_input

BASE = "keras predict"
"""Reference for speed: `Model.predict`, as most Keras programs call it."""
REFERENCE = "keras"
"""Reference for the outputs."""


class EngineProcess:
    """The near end: starts the process and sends it orders. One at a time: the caller waits for each answer."""

    def __init__(self, name: str, *, folder: Path, exports: Path, pixels: Path) -> None:
        """Start the process and wait until the engine is ready.

        Args:
            name: An engine, or `BASE`.
            folder: `models/<name>`.
            exports: Where exported graphs are; they must be there already.
            pixels: `.npy` file with uint8 `(N, size, size)`, the images.
        """
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._near, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, name, folder, exports, pixels), daemon=True)
        self._process.start()
        self.load_seconds: float = self._near.recv()

    def network(self, count: int, *, turn: int) -> float:
        """Milliseconds that the network takes for a batch of `count` images, others in each turn."""
        return float(self._ask("network", (count, turn)))

    def analyze(self, turn: int) -> float:
        """Milliseconds that the whole analysis of one image takes, from gray pixels to the decision."""
        return float(self._ask("analyze", turn))

    def outputs(self) -> EngineOutput:
        """Return what the network says of all images, doubtful ones computed again."""
        return EngineOutput(*self._ask("outputs", None))

    def memory(self) -> dict[str, float]:
        """Return the process's memory in MiB, see `bench.machine.memory`."""
        found: dict[str, float] = self._ask("memory", None)
        return found

    def stop(self) -> None:
        """End the process."""
        self._near.send(None)
        self._process.join(30)

    def _ask(self, order: str, argument: Any) -> Any:
        self._near.send((order, argument))
        return self._near.recv()


def _serve(far: Connection, name: str, folder: Path, exports: Path, pixels: Path) -> None:
    started = time.perf_counter()
    subject = _Subject(name, folder=folder, exports=exports, pixels=pixels)
    far.send(time.perf_counter() - started)
    while (order := far.recv()) is not None:
        far.send(getattr(subject, order[0])(order[1]))


class _Subject:
    """The child's side of the commands."""

    def __init__(self, name: str, *, folder: Path, exports: Path, pixels: Path) -> None:
        self.pixels = np.load(pixels, mmap_mode="r")
        if name == BASE:
            self._predict, self.parameters = _keras_predict(folder)
            return
        from bench.engines_measured import load_engine
        from classifier.inference.analyzer import Analyzer

        self.analyzer = Analyzer(load_engine(folder, engine=name, exports=exports))
        self._predict, self.parameters = self.analyzer.engine.predict, self.analyzer.card.preprocessing

    def network(self, order: tuple[int, int]) -> float:
        count, turn = order
        batch = to_input(self._drawn(count, turn=turn), parameters=self.parameters)
        return _milliseconds(lambda: self._predict(batch))

    def analyze(self, turn: int) -> float:
        images = list(self._drawn(1, turn=turn))
        return _milliseconds(lambda: self.analyzer.analyze(images))

    def _drawn(self, count: int, *, turn: int) -> UInt8Array:
        """Images of a turn: the same for every engine, since what they show decides how long some take."""
        chosen = np.random.default_rng((turn, count)).integers(len(self.pixels), size=count)
        return np.array(self.pixels[chosen])

    def outputs(self, _: None) -> tuple[Float32Array, ...]:
        from classifier.inference import second_look

        parts = []
        for start in range(0, len(self.pixels), 16):
            batch = to_input(self.pixels[start : start + 16], parameters=self.parameters)
            appearance = appearance_statistics(batch, parameters=self.parameters)
            detector = self.analyzer.detector
            parts.append(second_look.predict(self.analyzer.engine, batch, detector=detector, appearance=appearance))
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def memory(self, _: None) -> dict[str, float]:
        return memory()


def _keras_predict(folder: Path) -> tuple[Callable[[Float32Array], Any], Any]:
    from classifier.inference.engines.keras import load_network
    from classifier.inference.registry import load_card

    card = load_card(folder)
    network = load_network(card)
    size = card.preprocessing.size
    network.predict(np.zeros((1, size, size, card.preprocessing.channels), np.float32), verbose=0)
    return lambda batch: network.predict(batch, batch_size=len(batch), verbose=0), card.preprocessing


def _milliseconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000
