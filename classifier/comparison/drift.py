"""Drift of the input: appearance statistics of analyzed images against those of the training images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.inference.appearance import FEATURES
from classifier.inference.ood import RIDGE, Statistics

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Shift:
    """One appearance statistic of the analyzed images against the training images.

    Attributes:
        feature: Its name, one of `FEATURES`.
        training: Mean of the training images.
        live: Mean of the analyzed images.
        deviations: Their difference in standard deviations of the training images.
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
    live, training, spread = appearance.mean(axis=0), statistics.appearance_mean, deviations_of(statistics)
    found = [
        Shift(name, float(training[i]), float(live[i]), float((live[i] - training[i]) / spread[i]))
        for i, name in enumerate(FEATURES)
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
