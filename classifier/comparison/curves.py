"""Curves of scores against truth, in plain NumPy. They are compared with scikit-learn's values in the tests."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from classifier.comparison.evaluations import UNKNOWN, Array, Evaluation, Sample
from classifier.comparison.figures import part_sample
from classifier.training import metrics
from classifier.training.predictions import TEST

POINTS = 120
"""Points of a drawn curve: more cannot be told apart on a screen."""

SPECIFICITIES = (0.8, 0.9, 0.95, 0.98)
RECALLS = (0.5, 0.8, 0.9, 0.95)
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)
RELIABILITY_BINS = 10


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one model on one part.

    Attributes:
        roc: Points of false-positive rate and sensitivity for a tumor.
        area: Area under it; None without images of both kinds.
        precision_recall: Points of recall and precision for a tumor.
        average_precision: Mean precision over the steps of recall; None without images of both kinds.
        reliability: Points of mean stated probability and observed share, with the number of images.
        ece: Expected calibration error: the mean distance of the two, by images.
        selective: Points of coverage and accuracy when only the most certain images are answered.
        at_specificity: Sensitivity at each of `SPECIFICITIES`.
        at_recall: Precision at each of `RECALLS`.
        at_coverage: Accuracy at each of `COVERAGES`.
    """

    roc: list[list[float]]
    area: float | None
    precision_recall: list[list[float]]
    average_precision: float | None
    reliability: list[dict[str, float]]
    ece: float
    selective: list[list[float]]
    at_specificity: list[float]
    at_recall: list[float]
    at_coverage: list[float]


@lru_cache(maxsize=64)
def curves_of(evaluation: Evaluation, part: str) -> Curves | None:
    """Return the curves of an evaluation on one part; None if it has no images of the part.

    On the test images of the protocol, reliability and selective accuracy are those of the most probable finding.
    Elsewhere only the presence of a tumor is known, and they are those of the likelier of tumor and no tumor.
    """
    sample = part_sample(evaluation, part)
    return None if sample is None else _curves(sample, four=part == TEST)


def roc_curve(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Return false-positive and true-positive rates at every threshold, from (0, 0) to (1, 1).

    Args:
        scores: Score of each image, higher for positive.
        positive: Which images are positive, bool; at least one of each kind.
    """
    hits, false = _counts(scores, positive)
    return np.r_[0.0, false / false[-1]], np.r_[0.0, hits / hits[-1]]


def precision_recall_curve(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Return recall and precision at every threshold, by rising recall.

    Args:
        scores: Score of each image, higher for positive.
        positive: Which images are positive, bool; at least one.
    """
    hits, false = _counts(scores, positive)
    return hits / hits[-1], hits / (hits + false)


def average_precision(scores: Array, positive: Array) -> float:
    """Return the sum of the precision at each threshold times the step of recall there."""
    recall, precision = precision_recall_curve(scores, positive)
    return float((np.diff(np.r_[0.0, recall]) * precision).sum())


def thin(x: Array, y: Array, *, points: int = POINTS) -> list[list[float]]:
    """Return at most about `points` of a curve's points, evenly along its length, with both ends."""
    along = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
    if len(x) > points:
        wanted = np.searchsorted(along, np.linspace(0.0, along[-1], points))
        keep = np.unique(np.r_[0, np.minimum(wanted, len(x) - 1), len(x) - 1])
        x, y = x[keep], y[keep]
    return [[round(float(a), 4), round(float(b), 4)] for a, b in zip(x, y, strict=True)]


def _counts(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Return the positives and the negatives at or above each distinct score, highest score first."""
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    hits = np.cumsum(positive[order])[last].astype(float)
    return hits, last + 1.0 - hits


def _curves(sample: Sample, *, four: bool) -> Curves:
    scores, positive = sample.presence, sample.tumor
    both = bool(positive.any() and (~positive).any())
    p, labels = _answers(sample, four=four)
    bins = metrics.reliability(p, labels, bins=RELIABILITY_BINS)
    coverage, accuracy = metrics.selective(p, labels)
    false, hits = roc_curve(scores, positive) if both else (np.array([]), np.array([]))
    recall, precision = precision_recall_curve(scores, positive) if both else (np.array([]), np.array([]))
    return Curves(
        roc=thin(false, hits) if both else [],
        area=metrics.auroc(scores[positive], scores[~positive]) if both else None,
        precision_recall=thin(recall, precision) if both else [],
        average_precision=average_precision(scores, positive) if both else None,
        reliability=[{key: round(value, 4) for key, value in row.items()} for row in bins],
        ece=metrics.ece(p, labels),
        selective=thin(coverage, accuracy),
        at_specificity=[float(hits[false <= 1 - value + 1e-12].max()) for value in SPECIFICITIES] if both else [],
        at_recall=[float(precision[recall >= value - 1e-12].max()) for value in RECALLS] if both else [],
        at_coverage=_at(accuracy, COVERAGES),
    )


def _answers(sample: Sample, *, four: bool) -> tuple[Array, Array]:
    """Return probabilities and labels: of the four findings, or of tumor against no tumor."""
    if four:
        known = sample.labels != UNKNOWN
        return sample.p[known], sample.labels[known]
    return np.stack([1 - sample.presence, sample.presence], axis=1), sample.tumor.astype(int)


def _at(accuracy: Array, coverages: Iterable[float]) -> list[Any]:
    return [float(accuracy[max(1, round(share * len(accuracy))) - 1]) for share in coverages]
