"""Tells whether an image is a brain MR at all, from how far its features lie from those of training images."""

from typing import Self

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelError, RefusalCard


def normalise(features: Float32Array) -> Float32Array:
    """Scales each row of `(N, C)` to length 1; a row of zeros stays zero."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    result: Float32Array = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result


class Refusal:
    """Scores images by their mean cosine distance to the nearest training features.

    After Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors" (2022), with the mean of the
    nearest k distances instead of the k-th.
    """

    def __init__(self, bank: Float32Array, *, neighbours: int, threshold: float) -> None:
        """Keeps the bank.

        Args:
            bank: Normalised training features, float `(M, C)`.
            neighbours: How many nearest features count, at most M.
            threshold: Largest score that still is a brain MR.

        Raises:
            ValueError: If the bank has too few rows.
        """
        if bank.ndim != 2 or not 1 <= neighbours <= len(bank):
            raise ValueError(f"The bank must have at least {neighbours} rows. Received: {bank.shape}")
        self.bank: Float32Array = np.ascontiguousarray(bank, np.float32)
        self.neighbours, self.threshold = neighbours, threshold

    @classmethod
    def load(cls, card: RefusalCard) -> Self:
        """Reads the bank that a card names.

        Raises:
            ModelError: If it cannot be used.
        """
        try:
            bank = np.load(card.bank.path, allow_pickle=False)
            return cls(bank, neighbours=card.neighbours, threshold=card.threshold)
        except (OSError, ValueError) as error:
            raise ModelError(f"{card.bank.path} is not usable. Restore it. Received: {error}") from None

    def score(self, features: Float32Array) -> Float32Array:
        """The mean cosine distance of each feature vector to its nearest neighbours.

        Args:
            features: float32 `(N, C)`.

        Returns:
            float32 `(N,)` in [0, 2]; larger is stranger.
        """
        similarities = normalise(features) @ self.bank.T
        nearest = np.partition(similarities, -self.neighbours, axis=1)[:, -self.neighbours :]
        result: Float32Array = (1.0 - nearest.mean(axis=1)).astype(np.float32)
        return result
