"""Drift of the input: appearance statistics of analyzed images against those of the training images or a site's own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.inference.appearance import FEATURES
from classifier.inference.ood import RIDGE, Statistics

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Shift:
    """One appearance statistic of the analyzed images against the training images, or a site's baseline.

    Attributes:
        feature: Its name, one of `FEATURES`.
        training: Mean of the images that they are compared with.
        live: Mean of the analyzed images.
        deviations: Their difference in standard deviations of the images that they are compared with.
    """

    feature: str
    training: float
    live: float
    deviations: float


def shifts(appearance: Array, statistics: Statistics) -> list[Shift]:
    """Return the shift of each appearance statistic, the largest first.

    Args:
        appearance: Appearance statistics of analyzed images, `(N, len(FEATURES))` with N at least 1.
        statistics: Those of the training images.
    """
    return shifts_from(appearance, mean=statistics.appearance_mean, spread=deviations_of(statistics))


def shifts_from(appearance: Array, *, mean: Array, spread: Array) -> list[Shift]:
    """Return the shift of each appearance statistic from given images, the largest first.

    Args:
        appearance: Appearance statistics of analyzed images, `(N, len(FEATURES))` with N at least 1.
        mean: Mean of each statistic of the images that they are compared with, `(len(FEATURES),)`.
        spread: Their standard deviations. A statistic without any is left out: no difference has a size in them.
    """
    live = appearance.mean(axis=0)
    found = [
        Shift(name, float(mean[i]), float(live[i]), float((live[i] - mean[i]) / spread[i]))
        for i, name in enumerate(FEATURES)
        if spread[i] > 0
    ]
    return sorted(found, key=lambda shift: -abs(shift.deviations))


def deviations_of(statistics: Statistics) -> Array:
    """Return the standard deviations of the training images, which their whitening matrix implies.

    `Statistics.fit` standardizes each statistic and adds `RIDGE` to its variance of 1.
    """
    whitening = statistics.appearance_whitening.astype(float)
    covariance = np.linalg.inv(whitening.T @ whitening)
    spread: Array = np.sqrt(np.diag(covariance) / (1 + RIDGE))
    return spread
