"""Tells whether an image is a brain MR at all: from how strange the network finds it, and how strange it looks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelError, RefusalCard

LIMIT = 1.0
"""Largest score that still is a brain MR."""
RIDGE = 0.05
"""Added to the variances of the standardised appearance, so that none is divided by almost nothing."""


def normalise(features: Float32Array) -> Float32Array:
    """Scales each row of `(N, C)` to length 1; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    result: Float32Array = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result


@dataclass(frozen=True, slots=True)
class Statistics:
    """What training images are like.

    Attributes:
        centre: Mean of their normalised features, float32 `(C,)`.
        axes: Directions in which those vary most, orthonormal, float32 `(K, C)`.
        looks_centre: Mean of their appearance, float32 `(D,)`.
        looks_whitening: Turns a difference from it into one with unit variances, float32 `(D, D)`.
    """

    centre: Float32Array
    axes: Float32Array
    looks_centre: Float32Array
    looks_whitening: Float32Array

    @classmethod
    def fit(cls, features: Float32Array, looks: Float32Array, *, axes: int) -> Self:
        """Measures training images.

        Args:
            features: Pooled features, float32 `(N, C)`.
            looks: From `appearance`, float32 `(N, D)`.
            axes: How many directions of the features are usual ones; at most N and C.
        """
        normal = normalise(features)
        centre = normal.mean(axis=0)
        _, _, directions = np.linalg.svd(normal - centre, full_matrices=False)
        looks_centre, spread = looks.mean(axis=0), looks.std(axis=0) + 1e-6
        standard = ((looks - looks_centre) / spread).astype(np.float64)
        covariance = np.cov(standard.T) + RIDGE * np.eye(standard.shape[1])
        # With inverse covariance = L·Lᵀ the length of Lᵀ·x is the Mahalanobis distance of x.
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T / spread
        return cls(
            *(array.astype(np.float32) for array in (centre, directions[:axes], looks_centre, whitening)),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            OSError, ValueError, KeyError, EOFError: If it is not such a file.
        """
        with np.load(path, allow_pickle=False) as archive:
            return cls(*(archive[name].astype(np.float32) for name in cls.__slots__))

    def save(self, path: Path) -> None:
        """Writes an `.npz` file, the axes as float16: what is left of a vector is then rounded to about a hundredth."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        np.savez(path, **arrays | {"axes": self.axes.astype(np.float16)})

    def strangeness(self, features: Float32Array) -> Float32Array:
        """Length of what a feature vector has in no usual direction: float32 `(N,)` in [0, 2]."""
        offset = normalise(features) - self.centre
        rest = (offset**2).sum(axis=1) - ((offset @ self.axes.T) ** 2).sum(axis=1)
        result: Float32Array = np.sqrt(np.maximum(rest, 0.0)).astype(np.float32)
        return result

    def looks_strangeness(self, looks: Float32Array) -> Float32Array:
        """Mahalanobis distance of an appearance from those of training images: float32 `(N,)`, at least 0."""
        result: Float32Array = np.linalg.norm((looks - self.looks_centre) @ self.looks_whitening.T, axis=1)
        return result


class Refusal:
    """Scores images by two distances from training images, each relative to its limit; the larger one counts.

    The features' distance is the residual outside of their principal subspace, after Wang et al., "ViM:
    Out-of-Distribution with Virtual-logit Matching" (2022), without the logit; the network was never asked to tell
    an inverted image or a photograph of even brightness from others, so the appearance has a limit of its own.
    """

    def __init__(self, statistics: Statistics, *, feature_limit: float, looks_limit: float) -> None:
        """Takes statistics and the largest distances of brain MR images."""
        self.statistics, self.feature_limit, self.looks_limit = statistics, feature_limit, looks_limit

    @classmethod
    def load(cls, card: RefusalCard) -> Self:
        """Reads the statistics that a card names.

        Raises:
            ModelError: If they cannot be used.
        """
        try:
            statistics = Statistics.load(card.statistics.path)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ModelError(f"{card.statistics.path} is not usable. Restore it. Received: {error}") from None
        return cls(statistics, feature_limit=card.feature_limit, looks_limit=card.looks_limit)

    def score(self, features: Float32Array, looks: Float32Array) -> Float32Array:
        """How strange images are.

        Args:
            features: Pooled features, float32 `(N, C)`.
            looks: From `appearance`, float32 `(N, D)`.

        Returns:
            float32 `(N,)`, at least 0; above `LIMIT` it is no brain MR.
        """
        looks_score = self.statistics.looks_strangeness(looks) / self.looks_limit
        result: Float32Array = np.maximum(self.feature_score(features), looks_score).astype(np.float32)
        return result

    def feature_score(self, features: Float32Array) -> Float32Array:
        """The part of the score that the network's features decide: float32 `(N,)`."""
        result: Float32Array = self.statistics.strangeness(features) / self.feature_limit
        return result
