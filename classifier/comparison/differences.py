"""Paired differences between two models on the same images, so that chance is not called progress."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from classifier.comparison.evaluations import Array, Evaluation, Sample
from classifier.comparison.measures import Measure, Part, parts_of
from classifier.comparison.resampling import Resampling, interval

Verdict = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of one figure: a model minus the base that it is compared with.

    Attributes:
        part: Which images both models were measured on.
        measure: What was measured.
        base: The figure of the base.
        value: The figure of the model.
        low: Lower end of the 95% interval of the difference; None if it has none.
        high: Upper end.
        images: Number of images that both models were measured on.
        patients: Number of patients, or clusters of near-duplicates, that were resampled.
    """

    part: Part
    measure: Measure
    base: float
    value: float
    low: float | None
    high: float | None
    images: int
    patients: int

    @property
    def difference(self) -> float:
        """The model's figure minus the base's."""
        return self.value - self.base

    @property
    def verdict(self) -> Verdict:
        """Whether the model is better: "unclear" while the interval contains 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "better" if (self.low > 0) == self.measure.higher_is_better else "worse"


@lru_cache(maxsize=64)
def differences_of(base: Evaluation, other: Evaluation) -> tuple[Difference, ...]:
    """Return the differences of every figure on the images that both evaluations share.

    Both models are resampled with the same draws of patients. The result is kept by the files' digests.

    Args:
        base: The evaluation that the other is compared with.
        other: Of another model under the same protocol.
    """
    first, second = shared(base.sample, other.sample)
    made = []
    for part, index in parts_of(first):
        mine, theirs = first.take(index), second.take(index)
        draws = Resampling(mine.groups)
        for measure in part.measures:
            one, two = measure.score(mine), measure.score(theirs)
            if one is None or two is None:
                continue
            low, high = interval(two.draws(draws) - one.draws(draws)) or (None, None)
            made.append(Difference(part, measure, one.value, two.value, low, high, len(mine), draws.groups))
    return tuple(made)


def shared(first: Sample, second: Sample) -> tuple[Sample, Sample]:
    """Return the images that both samples hold with the same label and patient, in the same order."""
    places = {image: index for index, image in enumerate(second.images)}
    pairs = [
        (index, places[image])
        for index, image in enumerate(first.images)
        if image in places and _agree(first, index, second, places[image])
    ]
    mine: Array = np.array([pair[0] for pair in pairs], int)
    theirs: Array = np.array([pair[1] for pair in pairs], int)
    return first.take(mine), second.take(theirs)


def _agree(first: Sample, i: int, second: Sample, j: int) -> bool:
    return bool(
        first.labels[i] == second.labels[j]
        and first.tumor[i] == second.tumor[j]
        and first.groups[i] == second.groups[j]
    )
