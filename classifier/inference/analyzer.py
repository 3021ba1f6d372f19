"""The entry point for the worker and the command line: images in, decisions out."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from classifier.inference.appearance import appearance_statistics
from classifier.inference.decision import Decision, decide
from classifier.inference.engines import Engine, EngineOutput, load_engine
from classifier.inference.ood import OodDetector
from classifier.inference.preprocessing import Float32Array, UInt8Array, preprocess_batch
from classifier.inference.registry import ModelCard
from classifier.inference.second_look import predict


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """The result for one image.

    Attributes:
        decision: The answer.
        class_maps: float16 `(h, w, 4)`; `(7, 7, 4)` for Xception at 224 pixels. For `overlay_png`.
        milliseconds: The image's share of its batch's time, including preprocessing.
        appearance: Appearance statistics of the input, float32 `(D,)`.
        logits: The network's raw output, float32 `(4,)`.
    """

    decision: Decision
    class_maps: npt.NDArray[np.float16] = field(repr=False)
    milliseconds: float
    appearance: Float32Array = field(repr=False)
    logits: Float32Array = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A preprocessed batch.

    Attributes:
        inputs: float32 `(N, size, size, channels)`.
        appearance: Appearance statistics, float32 `(N, D)`.
        seconds: Duration of preprocessing.
    """

    inputs: Float32Array = field(repr=False)
    appearance: Float32Array = field(repr=False)
    seconds: float

    def __getitem__(self, index: int) -> "ModelInput":
        """Return one image of the batch, as a batch of one."""
        one = slice(index, index + 1)
        return ModelInput(self.inputs[one], self.appearance[one], self.seconds / len(self.inputs))


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """The network's output for a batch.

    Attributes:
        output: Logits, features and class maps.
        appearance: Appearance statistics, float32 `(N, D)`.
        seconds: Duration of preprocessing and the forward pass.
    """

    output: EngineOutput = field(repr=False)
    appearance: Float32Array = field(repr=False)
    seconds: float


class Analyzer:
    """Preprocess images, run the network once, and decide. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        """Store a warm engine and read the out-of-distribution statistics that its card names.

        Raises:
            ModelError: If they cannot be used.
        """
        self.engine = engine
        ood = engine.card.ood
        self.detector = None if ood is None else OodDetector.load(ood)
        # A forward pass already uses every processor; two at once would only slow each other down.
        self._lock = threading.Lock()

    @classmethod
    def from_folder(cls, path: Path, *, engine: str = "auto", exports: Path | None = None) -> Self:
        """Load, verify and warm up the model in a folder.

        Args:
            path: `models/<name>`.
            engine: See `load_engine`.
            exports: See `load_engine`.

        Raises:
            ModelError: If the model cannot be used.
        """
        return cls(load_engine(Path(path), engine=engine, exports=exports))

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.engine.card

    @property
    def engine_name(self) -> str:
        """The name of the engine, as in the setting `ENGINE`."""
        return self.engine.name

    def analyze(self, images: Sequence[UInt8Array]) -> list[AnalysisResult]:
        """Analyze images in one forward pass.

        Args:
            images: uint8 arrays `(H, W)` of any sizes.

        Returns:
            One result for each image, in order.

        Raises:
            ValueError: If an image is not a two-dimensional uint8 array.
        """
        return self.decide(self.forward(self.prepare(images))) if images else []

    def prepare(self, images: Sequence[UInt8Array]) -> ModelInput:
        """Run the first step of `analyze`: preprocessing and appearance statistics.

        Raises:
            ValueError: If an image is not a two-dimensional uint8 array.
        """
        started = time.perf_counter()
        parameters = self.card.preprocessing
        inputs = preprocess_batch(images, parameters=parameters)
        appearance = appearance_statistics(inputs, parameters=parameters)
        return ModelInput(inputs, appearance, time.perf_counter() - started)

    def forward(self, prepared: ModelInput, *, cards: Sequence[ModelCard] | None = None) -> ModelOutput:
        """Run the second step: the network.

        Args:
            prepared: From `prepare`.
            cards: The card that each image will be decided with; None for that of the model.

        Raises:
            FloatingPointError: If an output is not finite; it could be mistaken for a result.
        """
        with self._lock:
            started = time.perf_counter()
            output = predict(
                self.engine, prepared.inputs, detector=self.detector, appearance=prepared.appearance, cards=cards
            )
            seconds = time.perf_counter() - started
        if not all(np.isfinite(part).all() for part in output):
            raise FloatingPointError(f"The network gave numbers that are not finite. Received: {output.logits}")
        return ModelOutput(output, prepared.appearance, prepared.seconds + seconds)

    def decide(self, model_output: ModelOutput, *, cards: Sequence[ModelCard] | None = None) -> list[AnalysisResult]:
        """Run the last step: out-of-distribution detection, calibration and abstention. It is cheap.

        Args:
            model_output: From `forward`.
            cards: Calibration and thresholds of each image; None for those of the model.
        """
        started = time.perf_counter()
        logits, features, class_maps = model_output.output
        scores: list[float | None] = [None] * len(logits)
        if self.detector is not None:
            scores = [float(score) for score in self.detector.score(features, model_output.appearance)]
        cards = cards or [self.card] * len(logits)
        decisions = [decide(row, card, ood_score=score) for row, card, score in zip(logits, cards, scores, strict=True)]
        seconds = model_output.seconds + time.perf_counter() - started
        share = seconds * 1000.0 / len(logits)
        maps = class_maps.astype(np.float16)
        return [
            AnalysisResult(
                decision=decision,
                class_maps=maps[index],
                milliseconds=share,
                appearance=model_output.appearance[index],
                logits=logits[index],
            )
            for index, decision in enumerate(decisions)
        ]
