"""Intervals from resampling whole groups of images: the images of one patient are not independent."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DRAWS = 1000
"""Enough for percentiles of 2.5 and 97.5 that move by less than a tenth of the interval between seeds."""


class Resampling:
    """The same draws of groups for every score, so that scores of two models on the same images are paired.

    A draw takes as many groups as there are, with replacement (the cluster bootstrap; Field and Welsh,
    "Bootstrapping clustered data", 2007).
    """

    def __init__(self, groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> None:
        """Draw groups.

        Args:
            groups: The group of each image, usually its patient.
            draws: Number of draws.
            seed: Of the draws.

        Raises:
            ValueError: If there is no image.
        """
        if not len(groups):
            raise ValueError("There is nothing to resample. Received: no groups")
        names, self.index = np.unique(np.asarray(groups), return_inverse=True)
        self.groups = len(names)
        rng = np.random.default_rng(seed)
        self.counts = rng.multinomial(self.groups, np.full(self.groups, 1 / self.groups), size=draws).astype(float)

    def mean(self, values: Array, keep: Array) -> Array:
        """Return the mean of `values[keep]` in each draw, float `(draws,)`; NaN where a draw holds none of them."""
        sums = np.bincount(self.index[keep], weights=values[keep], minlength=self.groups)
        sizes = np.bincount(self.index[keep], minlength=self.groups)
        return _quotient(self.counts @ sums, self.counts @ sizes)

    def area(self, scores: Array, positive: Array) -> Array:
        """Return the area under the ROC curve in each draw, float `(draws,)`; NaN where one side is missing.

        Args:
            scores: Score of each image.
            positive: Which of them are positive.
        """
        positives, owners = scores[positive], self.index[positive]
        # Row: group of the positive; column: group of the negative. Sums of pairs replace a sort for every draw.
        wins = np.zeros((self.groups, self.groups))
        for group in np.unique(self.index[~positive]):
            negatives = np.sort(scores[~positive & (self.index == group)])
            below = np.searchsorted(negatives, positives, side="left")
            not_above = np.searchsorted(negatives, positives, side="right")
            wins[:, group] = np.bincount(owners, weights=(below + not_above) / 2, minlength=self.groups)
        sizes = [self.counts @ np.bincount(self.index[own], minlength=self.groups) for own in (positive, ~positive)]
        return _quotient(((self.counts @ wins) * self.counts).sum(axis=1), sizes[0] * sizes[1])

    def group_mean(self, values: Array) -> Array:
        """Return the mean over groups in each draw.

        Args:
            values: One value for each group, in the order of their sorted names; NaN leaves a group out.

        Returns:
            Float `(draws,)`; NaN where a draw holds none of the groups.
        """
        known = ~np.isnan(values)
        counts = self.counts[:, known]
        return _quotient(counts @ values[known], counts.sum(axis=1))


def interval(scores: Array) -> tuple[float, float] | None:
    """Return the 2.5th and the 97.5th percentile of the draws; None if no draw has a score."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _quotient(sums: Array, sizes: Array) -> Array:
    quotients: Array = np.divide(sums, sizes, out=np.full(len(sums), np.nan), where=sizes > 0)
    return quotients
