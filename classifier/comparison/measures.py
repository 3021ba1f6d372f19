"""Measures, and the images that each is computed on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from classifier.comparison.evaluations import UNKNOWN, Array, Sample
from classifier.comparison.resampling import Resampling
from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.inference.calibration import NOTUMOR
from classifier.inference.ood import LIMIT
from classifier.training import metrics
from classifier.training.hospital_check import CALLED, ERASED
from classifier.training.predictions import CHECK, EXTRA, TEST


class Score(Protocol):
    """A score of one sample."""

    @property
    def value(self) -> float:
        """The score of all images."""
        ...

    def draws(self, resampling: Resampling) -> Array:
        """Return the score of each draw."""
        ...


@dataclass(frozen=True, slots=True)
class Share:
    """The share of the images `keep` for which `hits` holds."""

    hits: Array
    keep: Array

    @property
    def value(self) -> float:
        """The share among all images."""
        return float(self.hits[self.keep].mean())

    def draws(self, resampling: Resampling) -> Array:
        """Return the share in each draw."""
        return resampling.mean(self.hits.astype(float), self.keep)


@dataclass(frozen=True, slots=True)
class Area:
    """The area under the ROC curve of tumor against no tumor, all images together."""

    scores: Array
    positive: Array

    @property
    def value(self) -> float:
        """The area of all images."""
        return metrics.auroc(self.scores[self.positive], self.scores[~self.positive])

    def draws(self, resampling: Resampling) -> Array:
        """Return the area in each draw."""
        return resampling.area(self.scores, self.positive)


@dataclass(frozen=True, slots=True)
class AreaWithin:
    """The mean area of the patients with slices of both kinds.

    Attributes:
        areas: The area of each patient, in the order of their sorted names; NaN without slices of both kinds.
    """

    areas: Array

    @property
    def value(self) -> float:
        """The mean over all such patients."""
        return float(np.nanmean(self.areas))

    def draws(self, resampling: Resampling) -> Array:
        """Return the mean in each draw."""
        return resampling.group_mean(self.areas)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        key: Its name in files and the API.
        label: Its name for people.
        higher_is_better: Whether a higher value is better.
        score: Returns the score of a sample; None where it is not defined.
        is_share: Whether it is a share, shown as percent; else a plain number.
    """

    key: str
    label: str
    higher_is_better: bool
    score: Callable[[Sample], Score | None]
    is_share: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """Images that are measured together.

    Attributes:
        key: Its name in files and the API.
        label: Its name for people.
        measures: What is measured on it.
    """

    key: str
    label: str
    measures: tuple[Measure, ...]


def _accuracy(sample: Sample) -> Score | None:
    known = sample.labels != UNKNOWN
    return Share(sample.p.argmax(axis=1) == sample.labels, known) if known.any() else None


def _likeliest_is_tumor(sample: Sample) -> Score | None:
    return Share(sample.p.argmax(axis=1) != NOTUMOR, sample.tumor) if sample.tumor.any() else None


def _likeliest_is_none(sample: Sample) -> Score | None:
    return Share(sample.p.argmax(axis=1) == NOTUMOR, ~sample.tumor) if (~sample.tumor).any() else None


def _called(sample: Sample) -> Score | None:
    return Share(sample.presence >= CALLED, sample.tumor) if sample.tumor.any() else None


def _not_called(sample: Sample) -> Score | None:
    return Share(sample.presence < CALLED, ~sample.tumor) if (~sample.tumor).any() else None


def _still_called(sample: Sample) -> Score | None:
    return Share(sample.presence >= CALLED, np.ones(len(sample), bool))


def _refused(sample: Sample) -> Score | None:
    return Share(sample.ood > LIMIT, np.ones(len(sample), bool))


def _area(sample: Sample) -> Score | None:
    both = sample.tumor.any() and (~sample.tumor).any()
    return Area(sample.presence, sample.tumor) if both else None


def _area_within(sample: Sample) -> Score | None:
    names, index = np.unique(np.asarray(sample.groups), return_inverse=True)
    areas = np.full(len(names), np.nan)
    for group in range(len(names)):
        own = index == group
        with_tumor, without = own & sample.tumor, own & ~sample.tumor
        if with_tumor.any() and without.any():
            areas[group] = metrics.auroc(sample.presence[with_tumor], sample.presence[without])
    return None if np.isnan(areas).all() else AreaWithin(areas)


def _recall(index: int) -> Callable[[Sample], Score | None]:
    """Return the score of one finding: the share of its images whose most probable finding it is."""

    def recall(sample: Sample) -> Score | None:
        own = sample.labels == index
        return Share(sample.p.argmax(axis=1) == index, own) if own.any() else None

    return recall


ACCURACY = Measure("accuracy", "Accuracy", True, _accuracy)
AREA = Measure("area", "AUC, tumor against no tumor", True, _area, is_share=False)
AREA_WITHIN = Measure("area_within", "AUC within patients", True, _area_within, is_share=False)
REFUSED = Measure("refused", "Wrongly refused", False, _refused)
SENSITIVITY = Measure("sensitivity", "Sensitivity for a tumor", True, _likeliest_is_tumor)
SPECIFICITY = Measure("specificity", "Specificity", True, _likeliest_is_none)
RECALLS = tuple(
    Measure(f"recall_{name}", f"Recall of {FINDING_LABELS[name]}", True, _recall(index))
    for index, name in enumerate(FINDINGS)
)
TEST_MEASURES = (ACCURACY, *RECALLS, SENSITIVITY, SPECIFICITY, AREA, REFUSED)
EXTRA_MEASURES = (SENSITIVITY, REFUSED)
HOSPITAL_MEASURES = (
    AREA_WITHIN,
    AREA,
    Measure("sensitivity", "Sensitivity for a tumor", True, _called),
    Measure("specificity", "Specificity", True, _not_called),
    REFUSED,
)
ERASED_MEASURES = (Measure("still_called", "Still called a tumor", False, _still_called),)

HOSPITALS = "hospitals"
TEST_PART = Part(TEST, "Test images of the protocol", TEST_MEASURES)
EXTRA_PART = Part(EXTRA, "Tumors of other scanners, kind unknown", EXTRA_MEASURES)


def parts_of(sample: Sample) -> Iterator[tuple[Part, Array]]:
    """Yield the parts of a sample that have images, each with the positions of its images."""
    kinds = np.array([image[0] for image in sample.images])
    sources = np.array([image[1] for image in sample.images])
    check, erased = kinds == CHECK, sources == ERASED
    yield from _found(TEST_PART, kinds == TEST)
    yield from _found(EXTRA_PART, kinds == EXTRA)
    yield from _found(Part(HOSPITALS, "Other hospitals, all", HOSPITAL_MEASURES), check & ~erased)
    for name in sorted(set(sources[check & ~erased])):
        own = Part(f"{HOSPITALS}/{name}", f"Other hospitals: {name}", HOSPITAL_MEASURES)
        yield from _found(own, check & (sources == name))
    yield from _found(Part(ERASED, "Tumor digitally removed", ERASED_MEASURES), check & erased)


def _found(part: Part, own: Array) -> Iterator[tuple[Part, Array]]:
    if own.any():
        yield part, np.flatnonzero(own)
