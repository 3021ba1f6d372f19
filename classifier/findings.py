"""Findings and outcomes of an analysis: the words that every layer shares."""

from collections.abc import Collection, Sequence
from enum import StrEnum

FINDINGS: tuple[str, ...] = ("glioma", "meningioma", "notumor", "pituitary")
"""Index order of every probability vector, class map and confusion matrix."""

TUMORS: tuple[str, ...] = tuple(name for name in FINDINGS if name != "notumor")

TUMOR = "tumor"
"""A tumor of unknown kind: a possible answer of an analysis, and the label of images whose kind is not known."""

ANSWERS: tuple[str, ...] = (*FINDINGS, TUMOR)
"""Possible findings of a classified analysis."""

OTHER_DISEASE = "other_disease"
"""An abnormality that is none of the network's tumors. Only a person can give this reading."""

READINGS: tuple[str, ...] = (*ANSWERS, OTHER_DISEASE)
"""Possible readings by a clinician."""

FINDING_LABELS: dict[str, str] = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "notumor": "no tumor",
    "pituitary": "pituitary tumor",
    TUMOR: "tumor of unknown kind",
    OTHER_DISEASE: "other disease",
}


class Outcome(StrEnum):
    """Outcome of a succeeded analysis."""

    CLASSIFIED = "classified"
    UNCERTAIN = "uncertain"
    NOT_BRAIN_MRI = "not_brain_mri"


OUTCOME_LABELS: dict[str, str] = {
    Outcome.CLASSIFIED: "Classified",
    Outcome.UNCERTAIN: "Uncertain",
    Outcome.NOT_BRAIN_MRI: "Not a brain MR image",
}
"""Every outcome of a succeeded analysis in a few words."""


def ranked(probabilities: Sequence[float]) -> tuple[str, ...]:
    """Return the findings, most probable first; equal ones in the order of `FINDINGS`.

    Args:
        probabilities: Four values in [0, 1], in the order of `FINDINGS`.
    """
    return tuple(sorted(FINDINGS, key=lambda name: -probabilities[FINDINGS.index(name)]))


def remaining(probabilities: Sequence[float], reached: Collection[str]) -> tuple[str, ...]:
    """Return the findings that remain possible, most probable first; at least the most probable one.

    A finding remains possible if it has reached its threshold, or if it is more probable than one that has. Without the
    second half, a list could name a finding and leave out a more probable one, because thresholds differ.

    Args:
        probabilities: Four values in [0, 1], in the order of `FINDINGS`.
        reached: The findings that have reached their thresholds.
    """
    order = ranked(probabilities)
    last = max((place for place, name in enumerate(order) if name in reached), default=0)
    return order[: last + 1]


def likely_kinds(probabilities: Sequence[float] | None, possible: Collection[str]) -> tuple[str, ...]:
    """Return the kinds of tumor that remain possible, most probable first; at least the most probable one.

    Args:
        probabilities: Four values in [0, 1], in the order of `FINDINGS`; None if they are not known.
        possible: The findings that remain possible.
    """
    kinds = tuple(name for name in ranked(probabilities or [0.0] * len(FINDINGS)) if name in TUMORS)
    return tuple(name for name in kinds if name in possible) or kinds[:1]
