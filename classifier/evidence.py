"""State the grounds of an answer. Works on plain data, for every layer."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypedDict

from classifier.findings import FINDINGS, TUMOR, Outcome, ranked

SPLIT_FROM = 0.5
"""Evidence is split if the second finding has at least this share of the first one's probability."""


class AnswerRule(TypedDict):
    """The thresholds that an answer was given with: calibrated probabilities in [0, 1].

    Attributes:
        finding: Smallest probability to name a kind of tumor.
        notumor: Smallest probability to report no tumor.
        tumor: Smallest probability of a tumor of any kind to report one of unknown kind; None never reports one.
        possible: For each finding, the smallest probability at which it remains possible on its own.
    """

    finding: float
    notumor: float
    tumor: float | None
    possible: Mapping[str, float]


class Ground(StrEnum):
    """Why the answer is what it is."""

    REACHED = "reached"
    """The finding reached its threshold."""
    UNKNOWN_KIND = "unknown_kind"
    """A tumor of any kind reached its threshold, and no kind did."""
    BELOW = "below"
    """One finding leads, and it does not reach its threshold."""
    SPLIT = "split"
    """No finding reached its threshold, and the second is close to the first."""


def ground(*, outcome: str, finding: str, probabilities: Sequence[float] | None) -> Ground | None:
    """Return why an analysis says what it says; None without probabilities.

    Args:
        outcome: Of a succeeded analysis.
        finding: One of `ANSWERS` if classified; else "".
        probabilities: Calibrated, in [0, 1], in the order of `FINDINGS`.
    """
    if probabilities is None or outcome not in (Outcome.CLASSIFIED, Outcome.UNCERTAIN):
        return None
    if outcome == Outcome.CLASSIFIED:
        return Ground.UNKNOWN_KIND if finding == TUMOR else Ground.REACHED
    return Ground.SPLIT if len(leaders(probabilities)) > 1 else Ground.BELOW


def leaders(probabilities: Sequence[float]) -> list[str]:
    """Return the most probable finding and those that are close to it, most probable first."""
    order = ranked(probabilities)
    values = [probabilities[FINDINGS.index(name)] for name in order]
    return [name for name, value in zip(order, values, strict=True) if value >= SPLIT_FROM * values[0]]
