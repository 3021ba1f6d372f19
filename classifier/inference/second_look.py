"""Run an image again in float32 if an engine's rounding could change the answer.

An engine with a method `predict_exact` rounds in `predict`. `docs/decisions/0004-cpu-engine.md` reports the measured
agreement.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from classifier.inference.decision import Decision, decide
from classifier.inference.engines.base import Engine, EngineOutput
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

PROBABILITY_ERROR = 0.05
"""Tolerated error of a reported probability that changes nothing else in the answer."""


@runtime_checkable
class RoundingEngine(Protocol):
    """An engine whose `predict` rounds and that can also run in float32."""

    def predict_exact(self, batch: Float32Array) -> EngineOutput:
        """Run the network in float32; see `Engine.predict`."""
        ...


def predict(
    engine: Engine,
    batch: Float32Array,
    *,
    detector: OodDetector | None,
    appearance: Float32Array | None = None,
    cards: Sequence[ModelCard] | None = None,
) -> EngineOutput:
    """Run a network, with the same answers as in float32.

    Args:
        engine: Any engine.
        batch: float32 `(N, size, size, channels)`.
        detector: The out-of-distribution detector; None if the model has none.
        appearance: Appearance statistics of the images, float32 `(N, D)`, which a detector needs.
        cards: The card that each image will be decided with; None for that of the engine.

    Returns:
        The engine's outputs; for doubtful images, those of float32.
    """
    output = engine.predict(batch)
    if not isinstance(engine, RoundingEngine):
        return output
    again = is_doubtful(output, engine.card, detector=detector, appearance=appearance, cards=cards)
    if again.any():
        for rounded, exact in zip(output, engine.predict_exact(batch[again]), strict=True):
            rounded[again] = exact
    return output


def is_doubtful(
    output: EngineOutput,
    card: ModelCard,
    *,
    detector: OodDetector | None,
    appearance: Float32Array | None = None,
    cards: Sequence[ModelCard] | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the images for which a rounding error could change the answer.

    The answer includes the outcome, the likeliest finding, the possible findings, and each probability within
    `PROBABILITY_ERROR`.

    Args:
        output: The engine's output for N images.
        card: Temperature and thresholds.
        detector: The out-of-distribution detector; None if the model has none.
        appearance: Appearance statistics of the images, float32 `(N, D)`, which a detector needs. Nothing rounds them.
        cards: Those of each image; None for `card`.

    Returns:
        bool `(N,)`.
    """
    pairs = zip(output.logits, cards or [card] * len(output.logits), strict=True)
    doubtful = np.array([_could_say_otherwise(logits, own) for logits, own in pairs], bool)
    if detector is not None:
        assert appearance is not None
        # The score changes by no more than its part that comes from the features.
        doubtful |= np.abs(detector.score(output.features, appearance) - LIMIT) <= card.rounding.score
    return doubtful


def _could_say_otherwise(logits: Float32Array, card: ModelCard) -> bool:
    """Return True if a brain MR image could get another answer with each logit difference within the error.

    Probabilities depend only on the differences of logits. A logit's probability is smallest if all its differences
    are at their lower bounds and largest at their upper bounds. Moving each logit by the error, down and up, therefore
    reaches the bounds of every probability and every difference.
    """
    told = decide(logits, card)
    moves = np.concatenate([np.eye(len(logits)), -np.eye(len(logits))]).astype(np.float32) * card.rounding.lead
    return any(_differs(decide(logits + move, card), told) for move in moves)


def _differs(one: Decision, other: Decision) -> bool:
    p, q = np.array(one.probabilities), np.array(other.probabilities)
    return (
        (one.outcome, one.finding) != (other.outcome, other.finding)
        or p.argmax() != q.argmax()
        or set(one.possible) != set(other.possible)
        or bool(np.abs(p - q).max() > PROBABILITY_ERROR)
    )
