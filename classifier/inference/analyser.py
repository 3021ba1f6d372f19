"""The one entry that the worker and the command line use: images in, decisions out."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from classifier.inference.decision import Decision, decide
from classifier.inference.engine import Engine, load_engine
from classifier.inference.preprocessing import UInt8Array, preprocess_batch
from classifier.inference.refusal import Refusal
from classifier.inference.registry import ModelCard


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """What one image gave.

    Attributes:
        decision: The answer.
        class_maps: float16 `(h, w, 4)`; `(10, 10, 4)` for Xception. For `overlay_png`.
        milliseconds: The image's share of the time that its batch took, preprocessing included.
    """

    decision: Decision
    class_maps: npt.NDArray[np.float16] = field(repr=False)
    milliseconds: float


class Analyser:
    """Preprocesses, runs the network once, and decides. May be shared by threads."""

    def __init__(self, engine: Engine) -> None:
        """Takes a warm engine and reads the feature bank that its card names.

        Raises:
            ModelError: If the bank cannot be used.
        """
        self.engine = engine
        refusal = engine.card.refusal
        self.refusal = None if refusal is None else Refusal.load(refusal)
        # A forward pass already uses every processor: two at once would only slow each other.
        self._lock = threading.Lock()

    @classmethod
    def from_folder(cls, path: Path, *, engine: str = "auto") -> Self:
        """Loads, verifies and warms up the model of a folder.

        Args:
            path: `models/<name>`.
            engine: See `load_engine`.

        Raises:
            ModelError: If the model cannot be used.
        """
        return cls(load_engine(Path(path), engine=engine))

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.engine.card

    def analyse(self, images: Sequence[UInt8Array]) -> list[AnalysisResult]:
        """Analyses images in one forward pass.

        Args:
            images: uint8 arrays `(H, W)` of any sizes.

        Returns:
            One result for each image, in order.

        Raises:
            ValueError: If an image is not a two-dimensional uint8 array.
        """
        if not images:
            return []
        started = time.perf_counter()
        batch = preprocess_batch(images, parameters=self.card.preprocessing)
        with self._lock:
            output = self.engine.predict(batch)
        decisions = [
            decide(logits, features, self.card, refusal=self.refusal)
            for logits, features in zip(output.logits, output.features, strict=True)
        ]
        share = (time.perf_counter() - started) * 1000.0 / len(images)
        maps = output.class_maps.astype(np.float16)
        return [
            AnalysisResult(decision=decision, class_maps=maps[index], milliseconds=share)
            for index, decision in enumerate(decisions)
        ]
