"""From numbers to what is said: a finding, "uncertain", or "not a brain MR image"."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifier.findings import FINDINGS, Outcome
from classifier.inference.calibration import probabilities
from classifier.inference.preprocessing import Float32Array
from classifier.inference.refusal import LIMIT
from classifier.inference.registry import ModelCard


@dataclass(frozen=True, slots=True)
class Decision:
    """What an analysis says.

    Attributes:
        outcome: Kind of answer.
        finding: The finding if classified, else None.
        probabilities: Calibrated, in the order of `FINDINGS`; None if the image is no brain MR.
        confidence: The largest of them; None if the image is no brain MR.
        ood_score: How strange the image is; above 1 it is no brain MR. None if the model cannot tell.
        possible: Findings that remain possible, most probable first; empty if the image is no brain MR.
    """

    outcome: Outcome
    finding: str | None
    probabilities: tuple[float, ...] | None
    confidence: float | None
    ood_score: float | None
    possible: tuple[str, ...] = ()


def decide(logits: Float32Array, card: ModelCard, *, ood_score: float | None = None) -> Decision:
    """Decides on one image.

    Args:
        logits: float32 `(4,)`.
        card: Temperature and thresholds.
        ood_score: How strange the image is (`Refusal.score`); None lets every image pass.

    Returns:
        The decision. An image is refused before it is classified, so a refused one has no probabilities.
    """
    if ood_score is not None and ood_score > LIMIT:
        return Decision(Outcome.NOT_BRAIN_MRI, None, None, None, ood_score)
    calibrated = probabilities(logits, temperature=card.temperature)
    best = int(calibrated.argmax())
    confidence = float(calibrated[best])
    sure = confidence >= card.confidence_threshold
    return Decision(
        outcome=Outcome.CLASSIFIED if sure else Outcome.UNCERTAIN,
        finding=FINDINGS[best] if sure else None,
        probabilities=tuple(float(value) for value in calibrated),
        confidence=confidence,
        ood_score=ood_score,
        possible=possible_findings(calibrated, card.possible_from),
    )


def possible_findings(calibrated: Float32Array, possible_from: Sequence[float]) -> tuple[str, ...]:
    """The findings that remain possible, most probable first; at least the most probable one.

    Args:
        calibrated: Calibrated probabilities, float32 `(4,)`.
        possible_from: For each finding, the smallest probability at which it remains possible. Those of a
            calibrated card make these sets class-conditionally conformal: for each true finding, the set holds it
            with the card's coverage (Vovk, "Conditional validity of inductive conformal predictors", 2013).
    """
    order = [int(index) for index in np.argsort(-calibrated, kind="stable")]
    likely = [index for index in order if calibrated[index] >= possible_from[index]]
    return tuple(FINDINGS[index] for index in likely or order[:1])
