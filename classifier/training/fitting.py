"""Fit the calibration and the thresholds of a card, on images of all sources."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS
from classifier.inference.calibration import NOTUMOR, Calibration, tumor_probability
from classifier.inference.decision import answer
from classifier.inference.registry import POSSIBLE, Thresholds
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs

FloatArray = npt.NDArray[np.float64]

SELECTIVE_ACCURACY = 0.97
"""Share of named kinds of tumor that must be right, and of tumors of unknown kind that must be tumors."""

MISSED = 0.02
"""Largest share of tumors that may be answered with "no tumor seen"."""

LEAST_CONFIDENCE = 0.5
"""A finding less probable than its opposite is not a statement."""

POSSIBLE_COVERAGE = 0.95
"""For each finding, the share of its images for which it must be among those that remain possible."""

RIDGE = 1e-3
"""Keeps the logistic regression finite where tumor and no tumor are told apart perfectly."""


def source_weights(rows: tuple[Row, ...]) -> FloatArray:
    """Return the weight of each image, so that no source dominates.

    Every source has the same total weight, shared equally by its images with and without a tumor.

    Returns:
        float64 `(N,)`, summing to 1.
    """
    keys = [(row.source, row.true_label == "notumor") for row in rows]
    images = Counter(keys)
    sides = Counter(source for source, _ in images)
    weights = np.array([1.0 / images[key] / sides[key[0]] for key in keys], np.float64)
    return weights / weights.sum() if len(weights) else weights


LEAST_TEMPERATURE = 1.0
"""A temperature below 1 sharpens. Validation patients choose the epoch of the weights, so it would be optimistic."""

LARGEST_SLOPE = 1.0
"""A slope above 1 sharpens the presence of a tumor, for which the same holds."""


def fit_calibration(fit: Outputs, *, official: bool) -> dict[str, float]:
    """Fit the temperature on tumors of known kind, and slope and offset on all images; neither may sharpen.

    Returns:
        `temperature`, `tumor_slope`, `tumor_offset`: see `Calibration`.
    """
    temperature = max(LEAST_TEMPERATURE, fit_temperature(fit, official=official))
    slope, offset = fit_tumor(fit, temperature=temperature)
    return {
        "temperature": round(temperature, 4),
        "tumor_slope": round(slope, 4),
        "tumor_offset": round(offset, 4),
    }


def fit_temperature(fit: Outputs, *, official: bool) -> float:
    """Return the temperature of least NLL of the kind, by golden-section search over its logarithm, 0.1 to 10."""
    labels, weights = fit.labels(official=official), source_weights(fit.rows)
    known = (labels >= 0) & (labels != NOTUMOR)
    if not known.any():
        return 1.0
    logits = np.asarray(fit.logits[known], np.float64)
    logits[:, NOTUMOR] = -np.inf
    rows, own, mass = np.arange(int(known.sum())), labels[known], weights[known] / weights[known].sum()

    def cost(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        scaled -= scaled.max(axis=1, keepdims=True)
        log_p = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-(mass * log_p[rows, own]).sum())

    low, high, ratio = np.log(0.1), np.log(10.0), (np.sqrt(5.0) - 1) / 2
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if cost(left) < cost(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def fit_tumor(fit: Outputs, *, temperature: float) -> tuple[float, float]:
    """Return slope and offset of the log-odds of a tumor, by weighted logistic regression (Platt, 1999).

    A best slope above `LARGEST_SLOPE` is lowered to it, and the offset with it, so that tumor and no tumor are equally
    probable for the same images.
    """
    odds = Calibration(temperature=temperature).tumor_log_odds(fit.logits)
    tumor = np.array([row.true_label != "notumor" for row in fit.rows], np.float64)
    weights = source_weights(fit.rows)
    if not 0 < tumor.sum() < len(tumor):
        return 1.0, 0.0
    design = np.stack([odds, np.ones_like(odds)], axis=1)
    solution = np.array([1.0, 0.0])
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -500.0, 500.0)))
        gradient = design.T @ (weights * (p - tumor)) + RIDGE * (solution - [1.0, 0.0])
        curvature = (design * (weights * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A full Newton step can overshoot where the classes are nearly separable.
        solution = solution - step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-8:
            break
    slope = max(0.01, float(solution[0]))
    lowered = min(slope, LARGEST_SLOPE)
    return lowered, float(solution[1]) * lowered / slope


def fit_thresholds(fit: Outputs, *, calibration: Calibration, official: bool) -> dict[str, Any]:
    """Choose the smallest probabilities that are answers.

    A kind is named from where on such answers are right often enough; a tumor of unknown kind is said from where on
    it is one often enough; "no tumor" is said from where on it is said of few tumors. Images are weighted by
    `source_weights`.

    Returns:
        The section `abstention` of a card: `threshold`, `tumor_threshold`, `notumor_threshold`, and what they reach
        on the images they were fitted on.
    """
    p, labels, weights = calibration.probabilities(fit.logits), fit.labels(official=official), source_weights(fit.rows)
    tumor = np.array([row.true_label != "notumor" for row in fit.rows])
    best, presence = p.argmax(axis=1), tumor_probability(p)
    # A tumor of unknown kind cannot tell whether the named kind is right.
    judged = (best != NOTUMOR) & ((labels >= 0) | ~tumor)
    finding = _first_good(p[judged].max(axis=1), (best == labels)[judged], weights[judged], share=SELECTIVE_ACCURACY)
    said_tumor = presence >= LEAST_CONFIDENCE
    any_tumor = _first_good(presence[said_tumor], tumor[said_tumor], weights[said_tumor], share=SELECTIVE_ACCURACY)
    notumor = max(LEAST_CONFIDENCE, weighted_quantile(p[tumor, NOTUMOR], weights[tumor], share=1 - MISSED))
    thresholds = Thresholds(finding=round(finding, 4), notumor=round(notumor, 4), tumor=round(any_tumor, 4))
    answers = np.array([answer(row, thresholds) or "" for row in p])
    named = np.isin(answers, FINDINGS)
    right = answers == np.array([FINDINGS[label] if label >= 0 else "" for label in labels])
    return {
        "threshold": thresholds.finding,
        "tumor_threshold": thresholds.tumor,
        "notumor_threshold": thresholds.notumor,
        "target_selective_accuracy": SELECTIVE_ACCURACY,
        "target_missed": MISSED,
        "selective_accuracy": round(_mean(right, weights, named & (labels >= 0)), 4),
        "missed": round(_mean(answers == FINDINGS[NOTUMOR], weights, tumor), 4),
        "coverage": round(_mean(answers != "", weights, np.ones(len(answers), bool)), 4),
    }


def fit_possible(fit: Outputs, *, calibration: Calibration, official: bool) -> dict[str, Any]:
    """Choose for each finding the probability from which on it remains possible.

    Class-conditional conformal prediction: the k-th smallest probability that images of a finding gave to it,
    k = floor((1 - coverage)(n + 1)), so that a new image of the finding lies below it at most that often, if it is
    exchangeable with the n. A finding with too few images is never ruled out.

    Returns:
        The section `possible` of a card.
    """
    p, labels = calibration.probabilities(fit.logits), fit.labels(official=official)
    thresholds = {}
    for index, name in enumerate(FINDINGS):
        own = np.sort(p[labels == index, index])
        rank = int((1 - POSSIBLE_COVERAGE) * (len(own) + 1))
        lowest = float(own[rank - 1]) if rank else 0.0
        # Rounded down, and never above what is worth a second look: sets may only become larger by it.
        thresholds[name] = min(POSSIBLE, np.floor(lowest * 1e4) / 1e4)
    return {"thresholds": thresholds, "target_coverage": POSSIBLE_COVERAGE}


def weighted_quantile(values: npt.ArrayLike, weights: npt.ArrayLike, *, share: float) -> float:
    """Return the smallest value that at most `1 - share` of the weight lies above."""
    values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    if not len(values):
        return 0.0
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(len(values) - 1, int(np.searchsorted(cumulative, share - 1e-12)))])


def _first_good(score: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike, *, share: float) -> float:
    """Return the smallest score from which on a weighted share of the answers is right, at least one half."""
    score, right, weights = np.asarray(score, np.float64), np.asarray(right, bool), np.asarray(weights, np.float64)
    order = np.argsort(-score, kind="stable")
    reached = np.cumsum((right * weights)[order]) / np.maximum(np.cumsum(weights[order]), 1e-12)
    enough = np.flatnonzero(reached >= share)
    return max(LEAST_CONFIDENCE, float(score[order][enough[-1]])) if len(enough) else 1.0


def _mean(values: npt.ArrayLike, weights: FloatArray, keep: npt.NDArray[np.bool_]) -> float:
    mass = weights[keep].sum()
    return float((np.asarray(values, np.float64) * weights)[keep].sum() / mass) if mass > 0 else 0.0
