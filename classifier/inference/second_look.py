"""Run an image once more in float32 where an engine's rounding could change the answer.

An engine with a method `predict_exact` rounds in `predict`. How far the answers agree was measured in
`docs/decisions/0004-cpu-engine.md`.
"""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from classifier.inference.decision import Decision, decide
from classifier.inference.engines.base import Engine, EngineOutput
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

LEAD_ERROR = 0.65
"""Bound on the error of the lead of one logit over another: 0.53 was the most in 1,379 test images."""
SCORE_ERROR = 0.075
"""An out-of-distribution score is off by less: 0.05 was the most in the same images. See
`bench/results/bfloat16.json`, and `docs/decisions/0004-cpu-engine.md` for what each margin was chosen on."""
PROBABILITY_ERROR = 0.05
"""What is said of a probability may be off by this much where nothing else depends on it."""


@runtime_checkable
class RoundingEngine(Protocol):
    """An engine whose `predict` rounds and that can also run in float32."""

    def predict_exact(self, batch: Float32Array) -> EngineOutput:
        """Run the network in float32; see `Engine.predict`."""
        ...


def predict(engine: Engine, batch: Float32Array, *, detector: OodDetector | None) -> EngineOutput:
    """Run a network so that its answers are those of float32.

    Args:
        engine: Any engine.
        batch: float32 `(N, size, size, channels)`.
        detector: Detects images that are not brain MR; None if the model cannot.

    Returns:
        The engine's outputs; those of doubtful images come from float32.
    """
    output = engine.predict(batch)
    if not isinstance(engine, RoundingEngine):
        return output
    again = is_doubtful(output, engine.card, detector=detector)
    if again.any():
        for rounded, exact in zip(output, engine.predict_exact(batch[again]), strict=True):
            rounded[again] = exact
    return output


def is_doubtful(output: EngineOutput, card: ModelCard, *, detector: OodDetector | None) -> npt.NDArray[np.bool_]:
    """Find the images for which a rounding error could change the answer.

    That is the outcome, the likeliest finding, the possible findings, or a probability by `PROBABILITY_ERROR`.

    Args:
        output: Of N images.
        card: Temperature and thresholds.
        detector: Detects images that are not brain MR; None if the model cannot.

    Returns:
        bool `(N,)`.
    """
    doubtful = np.array([_could_say_otherwise(logits, card) for logits in output.logits], bool)
    if detector is not None:
        doubtful |= np.abs(detector.feature_score(output.features) - LIMIT) <= SCORE_ERROR
    return doubtful


def _could_say_otherwise(logits: Float32Array, card: ModelCard) -> bool:
    """Return whether something else could be said of a brain MR image, with each lead anywhere within the error.

    Probabilities depend on the leads of logits over each other alone. All leads of one logit at their lower ends
    make its probability smallest, at their upper ends largest; so to move each logit by the error, down and up,
    reaches the ends of every probability and of every lead at once.
    """
    told = decide(logits, card)
    moves = np.concatenate([np.eye(len(logits)), -np.eye(len(logits))]).astype(np.float32) * LEAD_ERROR
    return any(_differs(decide(logits + move, card), told) for move in moves)


def _differs(one: Decision, other: Decision) -> bool:
    p, q = np.array(one.probabilities), np.array(other.probabilities)
    return (
        (one.outcome, one.finding) != (other.outcome, other.finding)
        or p.argmax() != q.argmax()
        or set(one.possible) != set(other.possible)
        or bool(np.abs(p - q).max() > PROBABILITY_ERROR)
    )
