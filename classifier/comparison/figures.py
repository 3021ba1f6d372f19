"""The figures of one model, with intervals by patient."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from classifier.comparison.evaluations import Array, Evaluation, Sample
from classifier.comparison.measures import (
    ACCURACY,
    EXTRA_PART,
    RECALLS,
    SENSITIVITY,
    SPECIFICITY,
    TEST_PART,
    Measure,
    Part,
    Score,
    Share,
    parts_of,
)
from classifier.comparison.resampling import Resampling, interval
from classifier.findings import FINDINGS
from classifier.reading_agreement import wilson_interval
from classifier.training.predictions import TEST


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a model.

    Attributes:
        part: Which images it was measured on.
        measure: What was measured.
        value: The figure, 0 to 1.
        low: Lower end of its 95% interval; None if it has none.
        high: Upper end.
        images: Number of images of the part.
        patients: Number of patients, or clusters of near-duplicates, that were resampled; 0 if unknown.
    """

    part: Part
    measure: Measure
    value: float
    low: float | None
    high: float | None
    images: int
    patients: int

    @property
    def key(self) -> tuple[str, str]:
        """The key by which figures of two models are compared."""
        return self.part.key, self.measure.key


def _stated(key: str, label: str, *, higher_is_better: bool = True, is_share: bool = True) -> Measure:
    return Measure(key, label, higher_is_better, lambda sample: None, is_share)


_REFUSED = _stated("rightly_refused", "Refused")
_TEST = TEST_PART
Stated = tuple[Part, Measure, tuple[str, ...]]
OF_PREDICTIONS: tuple[Stated, ...] = (
    (TEST_PART, ACCURACY, ("accuracy", "value")),
    *((TEST_PART, recall, ("per_class", name, "recall")) for name, recall in zip(FINDINGS, RECALLS, strict=True)),
    (TEST_PART, SENSITIVITY, ("shortcut", "tumor_sensitivity")),
    (TEST_PART, SPECIFICITY, ("shortcut", "specificity")),
    (EXTRA_PART, SENSITIVITY, ("shortcut", "other_scanners", "sensitivity")),
)
"""What predictions give, for an evaluation of which only the figures were kept."""

OF_THRESHOLDS: tuple[Stated, ...] = (
    (_TEST, _stated("coverage", "Images with a reported finding"), ("abstention", "coverage")),
    (_TEST, _stated("selective_accuracy", "Accuracy where a finding is reported"), ("abstention", "accuracy")),
    (_TEST, _stated("possible_coverage", "True finding among the possible ones"), ("possible", "coverage")),
)
"""What depends on thresholds that were fitted."""

STATED: tuple[Stated, ...] = (
    (
        _TEST,
        _stated("ece", "Expected calibration error", higher_is_better=False, is_share=False),
        ("probabilities", "ece"),
    ),
    (
        _TEST,
        _stated("nll", "Negative log likelihood", higher_is_better=False, is_share=False),
        ("probabilities", "nll"),
    ),
    (_TEST, _stated("pointing_game", "Saliency map points at the tumor"), ("saliency", "pointing_game")),
    (Part("far", "Images that are not brain MR", ()), _REFUSED, ("refusal", "far", "refused")),
    (Part("near", "Corrupted brain MR images", ()), _REFUSED, ("refusal", "near", "refused")),
)
TWINS: tuple[Stated, ...] = (
    (
        Part("with_twin", "Test images with a copy or mirror image in training", ()),
        ACCURACY,
        ("parts", "by_twin", "with", "accuracy"),
    ),
    (
        Part("without_twin", "Test images without one", ()),
        ACCURACY,
        ("parts", "by_twin", "without", "accuracy"),
    ),
)
"""What remains without leaks. Where no test image has a twin, both would repeat the accuracy."""

LOOK_UP: Stated = (
    _TEST,
    _stated("pixel_look_up", "For comparison: accuracy of a pixel look-up, no training"),
    ("controls", "pixel_neighbour_accuracy"),
)
WITH_INTERVAL = {"accuracy", "pointing_game", "sensitivity"}
"""Measures whose entry has the interval of its own figure; `low` and `high` of any other entry are not theirs."""

"""Part, measure, and place in the file of figures."""

INTERVAL = ("value", "low", "high")


@lru_cache(maxsize=64)
def figures_of(evaluation: Evaluation) -> tuple[Figure, ...]:
    """Return every figure that the predictions of an evaluation give. The result is kept by the files' digest."""
    return tuple(
        _as_stated(figure, evaluation.figures.get("accuracy"))
        for part, index in parts_of(evaluation.sample)
        for figure in _figures(part, evaluation.sample.take(index))
    )


def _as_stated(figure: Figure, stated: Any) -> Figure:
    """Return the accuracy on test images with the interval that the file of figures and the card state.

    Other draws of patients would give the same figure another interval, by some tenths of a percentage point.
    """
    if figure.key != (TEST, ACCURACY.key) or not isinstance(stated, dict) or None in map(stated.get, INTERVAL):
        return figure
    # Figures of a file are rounded to four places.
    if abs(stated["value"] - figure.value) > 1e-4:
        return figure
    return replace(figure, low=stated["low"], high=stated["high"])


def _figures(part: Part, sample: Sample) -> list[Figure]:
    draws = Resampling(sample.groups)
    made = []
    for measure in part.measures:
        score = measure.score(sample)
        if score is not None:
            low, high = _interval(score, draws)
            made.append(Figure(part, measure, score.value, low, high, len(sample), draws.groups))
    return made


def _interval(score: Score, draws: Resampling) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of a score; that of a share that holds for all or for no image is the score interval.

    Resampling sees no chance where all patients agree: it would call 6 of 6 patients certain.
    """
    if isinstance(score, Share) and score.value in (0.0, 1.0):
        patients = len(set(draws.index[score.keep].tolist()))
        return wilson_interval(int(score.value) * patients, patients)
    return interval(score.draws(draws)) or (None, None)


def stated_figures(evaluation: Evaluation) -> tuple[Figure, ...]:
    """Return what the file of figures states and predictions alone do not give: calibration, answers, refusal, maps.

    Without predictions, what the file states of them, too.
    """
    figures = evaluation.figures
    wanted: list[Stated] = [] if len(evaluation.sample) else list(OF_PREDICTIONS)
    # Without fitted thresholds every image is answered: that is no figure of a model in use.
    wanted += OF_THRESHOLDS if evaluation.is_calibrated else ()
    wanted += STATED
    wanted += TWINS if _at(figures, ("parts", "by_twin", "with", "images")) else ()
    wanted.append(LOOK_UP)
    made = []
    for part, measure, path in wanted:
        entry = _at(figures, path[:-1])
        value = entry.get(path[-1]) if isinstance(entry, dict) else None
        if not isinstance(value, int | float):
            continue
        images = entry.get("images", figures.get("images", 0))
        patients = int(figures.get("groups", 0)) if part.key == TEST else 0
        low, high = (entry.get("low"), entry.get("high")) if measure.key in WITH_INTERVAL else (None, None)
        made.append(Figure(part, measure, float(value), low, high, int(images), patients))
    return tuple(made)


def _at(figures: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = figures
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


@lru_cache(maxsize=64)
def confusion_of(evaluation: Evaluation) -> Array | None:
    """Return the confusion matrix of the protocol's test images, int `(4, 4)`: rows are labels, columns answers.

    The answer is the most probable finding. Without predictions it is the one that the file of figures states; None if
    that has none.
    """
    sample = part_sample(evaluation, TEST)
    if sample is None or not len(sample):
        stated = evaluation.figures.get("confusion")
        return np.array(stated, int) if stated else None
    table = np.zeros((sample.p.shape[1], sample.p.shape[1]), int)
    np.add.at(table, (sample.labels, sample.p.argmax(axis=1)), 1)
    return table


def part_sample(evaluation: Evaluation, key: str) -> Sample | None:
    """Return the images of one part; None if the evaluation has none."""
    for part, index in parts_of(evaluation.sample):
        if part.key == key:
            return evaluation.sample.take(index)
    return None
