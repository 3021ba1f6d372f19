"""Scores of a classifier, in plain NumPy.

Probabilities are float `(N, 4)`, labels int `(N,)`, both in the order of `FINDINGS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS

Array = npt.NDArray[Any]

ECE_BINS = 15


def accuracy(p: Array, labels: Array) -> float:
    """Return share of images whose most probable finding is the label."""
    return float((p.argmax(axis=1) == labels).mean())


def nll(p: Array, labels: Array) -> float:
    """Return mean negative log likelihood of the labels, in nats."""
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], 1e-12)).mean())


def brier(p: Array, labels: Array) -> float:
    """Return mean squared distance between the probabilities and the label's unit vector, 0 to 2."""
    return float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean())


def reliability(p: Array, labels: Array, *, bins: int = ECE_BINS) -> list[dict[str, float]]:
    """Return confidence against accuracy in bins of equal width; empty bins are left out."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "confidence": float(confidence[index == i].mean()),
            "accuracy": float(right[index == i].mean()),
            "images": int((index == i).sum()),
        }
        for i in range(bins)
        if (index == i).any()
    ]


def ece(p: Array, labels: Array, *, bins: int = ECE_BINS) -> float:
    """Return the expected calibration error of the most probable finding (Naeini et al., 2015)."""
    table = reliability(p, labels, bins=bins)
    return sum(row["images"] * abs(row["confidence"] - row["accuracy"]) for row in table) / len(p)


def confusion(p: Array, labels: Array) -> Array:
    """Count int `(4, 4)`: rows are labels, columns what was called."""
    table = np.zeros((p.shape[1], p.shape[1]), int)
    np.add.at(table, (labels, p.argmax(axis=1)), 1)
    return table


def per_class(p: Array, labels: Array) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each finding; 0 where nothing was called or present."""
    table = confusion(p, labels)
    scores = {}
    for i, name in enumerate(FINDINGS):
        called, present, hit = table[:, i].sum(), table[i].sum(), table[i, i]
        scores[name] = {
            "precision": float(hit / called) if called else 0.0,
            "recall": float(hit / present) if present else 0.0,
            "f1": float(2 * hit / (called + present)) if called + present else 0.0,
            "images": int(present),
        }
    return scores


def selective(p: Array, labels: Array) -> tuple[Array, Array]:
    """Return coverage and accuracy when only the most confident images are answered.

    Returns:
        Coverages `(N,)`, rising to 1, and the accuracy at each.
    """
    order = np.argsort(-p.max(axis=1), kind="stable")
    right = (p.argmax(axis=1) == labels)[order]
    count = np.arange(1, len(p) + 1)
    return count / len(p), np.cumsum(right) / count


def accuracy_at_coverage(p: Array, labels: Array, *, coverage: float) -> float:
    """Return accuracy on the most confident share `coverage` of the images."""
    _, accuracies = selective(p, labels)
    return float(accuracies[max(1, round(coverage * len(p))) - 1])


def auroc(positive: Array, negative: Array) -> float:
    """Return probability that a positive scores above a negative, ties counting half (area under the ROC curve).

    Raises:
        ValueError: If one side is empty.
    """
    if not len(positive) or not len(negative):
        raise ValueError("Both sides need at least one score.")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / 2 / len(ordered))


def bootstrap(
    score: Callable[[Array], float], groups: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return a 95% interval from resampling whole groups: images of one patient are not independent.

    Args:
        score: Function of image indices, int `(M,)`.
        groups: The group of each image.
        draws: Resamplings.
        seed: Of the resampling.

    Returns:
        The 2.5th and 97.5th percentile of the score.
    """
    rng = np.random.default_rng(seed)
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == i) for i in range(index.max() + 1)]
    scores = [
        score(np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])) for _ in range(draws)
    ]
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return float(low), float(high)
