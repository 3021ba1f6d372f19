"""Decide the answer for an image: a finding, a tumor of unknown kind, "uncertain", or "not a brain MR image"."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.evidence import AnswerRule
from classifier.findings import FINDINGS, TUMOR, Outcome, remaining
from classifier.inference.calibration import NOTUMOR, tumor_probability
from classifier.inference.ood import LIMIT
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard, Thresholds


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of an analysis.

    Attributes:
        outcome: The kind of answer.
        finding: The finding if classified: one of `FINDINGS`, or `tumor` if its kind is unknown. Else None.
        probabilities: Calibrated, in the order of `FINDINGS`; None if the image is not brain MR.
        confidence: Probability of what is said; if uncertain, the largest one. None if the image is not brain MR.
        ood_score: How far the image is from brain MR; above 1 it is none. None if the model cannot tell.
        possible: Findings that remain possible, most probable first; empty if the image is not brain MR.
        rule: The thresholds behind `finding` and `possible`; None if the image is not brain MR. See `answer_rule`.
    """

    outcome: Outcome
    finding: str | None
    probabilities: tuple[float, ...] | None
    confidence: float | None
    ood_score: float | None
    possible: tuple[str, ...] = ()
    rule: AnswerRule | None = None

    @property
    def tumor_probability(self) -> float | None:
        """Probability of a tumor of any kind; None if the image is not brain MR."""
        return None if self.probabilities is None else 1.0 - self.probabilities[NOTUMOR]


def decide(logits: Float32Array, card: ModelCard, *, ood_score: float | None = None) -> Decision:
    """Decide the answer for one image.

    Args:
        logits: float32 `(4,)`.
        card: Calibration and thresholds.
        ood_score: Distance from brain MR (`OodDetector.score`); None accepts every image.

    Returns:
        The decision. An out-of-distribution image has no probabilities, because it is not classified.
    """
    if ood_score is not None and ood_score > LIMIT:
        return Decision(Outcome.NOT_BRAIN_MRI, None, None, None, ood_score)
    calibrated = card.calibration.probabilities(logits)
    finding = answer(calibrated, card.thresholds)
    confidence = calibrated.max() if finding in (None, TUMOR) else calibrated[FINDINGS.index(str(finding))]
    if finding == TUMOR:
        confidence = tumor_probability(calibrated)
    return Decision(
        outcome=Outcome.UNCERTAIN if finding is None else Outcome.CLASSIFIED,
        finding=finding,
        probabilities=tuple(float(value) for value in calibrated),
        confidence=float(confidence),
        ood_score=ood_score,
        possible=possible_findings(calibrated, card.possible_from),
        rule=answer_rule(card),
    )


def answer(calibrated: Float32Array, thresholds: Thresholds) -> str | None:
    """Return the answer that the probabilities support: one of `FINDINGS`, `tumor`, or None if uncertain.

    Args:
        calibrated: Calibrated probabilities, float32 `(4,)`.
        thresholds: The thresholds of the model's card.
    """
    best = int(calibrated.argmax())
    if best == NOTUMOR:
        return FINDINGS[NOTUMOR] if calibrated[NOTUMOR] >= thresholds.notumor else None
    if calibrated[best] >= thresholds.finding:
        return FINDINGS[best]
    if thresholds.tumor is not None and tumor_probability(calibrated) >= thresholds.tumor:
        return TUMOR
    return None


def possible_findings(calibrated: Float32Array, possible_from: Sequence[float]) -> tuple[str, ...]:
    """Return the findings that remain possible, most probable first; at least the most probable one.

    Args:
        calibrated: Calibrated probabilities, float32 `(4,)`.
        possible_from: For each finding, the smallest probability at which it remains possible. Those of a
            calibrated card make these sets class-conditionally conformal: for each true finding, the set holds it
            with the card's coverage (Vovk, "Conditional validity of inductive conformal predictors", 2013).
            `remaining` then adds every finding that is more probable than one of the set, so the set holds the true
            finding at least that often.
    """
    values = [float(value) for value in calibrated]
    pairs = zip(FINDINGS, values, possible_from, strict=True)
    return remaining(values, [name for name, value, smallest in pairs if value >= smallest])


def answer_rule(card: ModelCard) -> AnswerRule:
    """Return the thresholds of a card as plain data, to be stored with an analysis."""
    thresholds = card.thresholds
    return AnswerRule(
        finding=thresholds.finding,
        notumor=thresholds.notumor,
        tumor=thresholds.tumor,
        possible=dict(zip(FINDINGS, card.possible_from, strict=True)),
    )
