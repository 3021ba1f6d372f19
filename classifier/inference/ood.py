"""Detect images that are not brain MR (out-of-distribution images).

Two distances are combined: the residual of the network's features, and that of the appearance statistics.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelError, OodCard

LIMIT = 1.0
"""Largest score that counts as brain MR."""
RIDGE = 0.05
"""Regularization: added to the variances of the standardized appearance statistics to avoid division by near zero."""


def normalize(features: Float32Array) -> Float32Array:
    """Scale each row of `(N, C)` to length 1; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    result: Float32Array = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the training images.

    Attributes:
        feature_mean: Mean of the normalized features, float32 `(C,)`.
        axes: Principal directions of the normalized features, orthonormal, float32 `(K, C)`.
        appearance_mean: Mean of the appearance statistics, float32 `(D,)`.
        appearance_whitening: Maps a difference from that mean to unit variances, float32 `(D, D)`.
    """

    feature_mean: Float32Array
    axes: Float32Array
    appearance_mean: Float32Array
    appearance_whitening: Float32Array

    @classmethod
    def fit(cls, features: Float32Array, appearance: Float32Array, *, axes: int) -> Self:
        """Compute the statistics of training images.

        Args:
            features: Pooled features, float32 `(N, C)`.
            appearance: Appearance statistics, float32 `(N, D)`.
            axes: Number of principal directions of the features; at most N and C.
        """
        normal = normalize(features)
        feature_mean = normal.mean(axis=0)
        _, _, directions = np.linalg.svd(normal - feature_mean, full_matrices=False)
        appearance_mean, spread = appearance.mean(axis=0), appearance.std(axis=0) + 1e-6
        standard = ((appearance - appearance_mean) / spread).astype(np.float64)
        covariance = np.cov(standard.T) + RIDGE * np.eye(standard.shape[1])
        # With inverse covariance = L·Lᵀ the length of Lᵀ·x is the Mahalanobis distance of x.
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T / spread
        return cls(
            *(array.astype(np.float32) for array in (feature_mean, directions[:axes], appearance_mean, whitening)),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file written by `save`.

        Raises:
            OSError, ValueError, KeyError, EOFError: If the file is missing or malformed.
        """
        with np.load(path, allow_pickle=False) as archive:
            return cls(*(archive[name].astype(np.float32) for name in cls.__slots__))

    def save(self, path: Path) -> None:
        """Write an `.npz` file. The axes are float16, which changes a residual by about 0.01."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        np.savez(path, **arrays | {"axes": self.axes.astype(np.float16)})

    def feature_distance(self, features: Float32Array) -> Float32Array:
        """Return the norm of each feature vector outside the principal subspace, float32 `(N,)` in [0, 2]."""
        offset = normalize(features) - self.feature_mean
        rest = (offset**2).sum(axis=1) - ((offset @ self.axes.T) ** 2).sum(axis=1)
        result: Float32Array = np.sqrt(np.maximum(rest, 0.0)).astype(np.float32)
        return result

    def appearance_distance(self, appearance: Float32Array) -> Float32Array:
        """Return the Mahalanobis distance of the appearance statistics from the training images, float32 `(N,)`."""
        whitened = (appearance - self.appearance_mean) @ self.appearance_whitening.T
        result: Float32Array = np.linalg.norm(whitened, axis=1)
        return result


class OodDetector:
    """Score images by two distances from the training images, each relative to its limit, as the norm of both.

    The distance of the features is the residual outside their principal subspace, after Wang et al., "ViM:
    Out-of-Distribution with Virtual-logit Matching" (2022), without the logit. The network was never trained to
    recognize an inverted image or a photograph of even brightness, so the appearance counts as well. An image that is
    rather far in both is refused, too: `docs/decisions/0007-what-is-no-brain-mr.md`.
    """

    def __init__(self, statistics: Statistics, *, feature_limit: float, appearance_limit: float) -> None:
        """Store the statistics, and the largest distance of each kind if the other one is zero."""
        self.statistics, self.feature_limit, self.appearance_limit = statistics, feature_limit, appearance_limit

    @classmethod
    def load(cls, card: OodCard) -> Self:
        """Read the statistics of a model card.

        Raises:
            ModelError: If they cannot be used.
        """
        try:
            statistics = Statistics.load(card.statistics.path)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ModelError(f"{card.statistics.path} is not usable. Restore it. Received: {error}") from None
        return cls(statistics, feature_limit=card.feature_limit, appearance_limit=card.appearance_limit)

    def score(self, features: Float32Array, appearance: Float32Array) -> Float32Array:
        """Return the distance of images from brain MR.

        Args:
            features: Pooled features, float32 `(N, C)`.
            appearance: Appearance statistics, float32 `(N, D)`.

        Returns:
            float32 `(N,)`, at least 0; above `LIMIT` an image is out of distribution.
        """
        of_features = self.statistics.feature_distance(features) / self.feature_limit
        of_appearance = self.statistics.appearance_distance(appearance) / self.appearance_limit
        result: Float32Array = np.hypot(of_features, of_appearance).astype(np.float32)
        return result
