"""Turn logits into calibrated probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS
from classifier.inference.preprocessing import Float32Array

NOTUMOR = FINDINGS.index("notumor")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration in two parts: the presence of a tumor, and its kind.

    With the log-odds of a tumor L = log(sum of exp(z/T) over the tumors) - z_notumor/T, the probability of a tumor is
    sigmoid(slope L + offset) (Platt, "Probabilistic Outputs for Support Vector Machines", 1999), and the kinds share
    it by the softmax of z/T (Guo et al., "On Calibration of Modern Neural Networks", 2017). Slope 1 and offset 0 give
    the plain softmax of z/T over the four findings.

    Attributes:
        temperature: T, positive; larger values make the kind less certain.
        tumor_slope: Positive; smaller values make the presence of a tumor less certain.
        tumor_offset: In log-odds; larger values make a tumor more probable.
    """

    temperature: float = 1.0
    tumor_slope: float = 1.0
    tumor_offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not self.tumor_slope > 0 or not np.isfinite(self.tumor_offset):
            raise ValueError(f"Temperature and slope must be positive and the offset finite. Received: {self!r}")

    def tumor_log_odds(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return L for logits `(..., 4)`: float64 `(...)`, before slope and offset."""
        scaled = np.asarray(logits, np.float64) / self.temperature
        tumors = np.delete(scaled, NOTUMOR, axis=-1)
        highest = tumors.max(axis=-1, keepdims=True)
        total = highest[..., 0] + np.log(np.exp(tumors - highest).sum(axis=-1))
        result: npt.NDArray[np.float64] = total - scaled[..., NOTUMOR]
        return result

    def probabilities(self, logits: npt.ArrayLike) -> Float32Array:
        """Return calibrated probabilities.

        Args:
            logits: Array `(..., 4)`.

        Returns:
            float32 array of the same shape; the last axis sums to 1.

        Raises:
            ValueError: If a logit is not finite.
        """
        values = np.asarray(logits, np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"Logits must be finite. Received: {values}")
        odds = np.clip(self.tumor_slope * self.tumor_log_odds(values) + self.tumor_offset, -700.0, 700.0)
        tumor = 1.0 / (1.0 + np.exp(-odds))
        scaled = values / self.temperature
        scaled[..., NOTUMOR] = -np.inf
        kinds = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        result = tumor[..., None] * kinds / kinds.sum(axis=-1, keepdims=True)
        result[..., NOTUMOR] = 1.0 / (1.0 + np.exp(odds))
        return np.asarray(result, np.float32)


def probabilities(logits: npt.ArrayLike, *, temperature: float) -> Float32Array:
    """Return the softmax of the logits `(..., 4)` divided by a temperature. See `Calibration`."""
    return Calibration(temperature=temperature).probabilities(logits)


def tumor_probability(calibrated: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the probability of a tumor of any kind from calibrated probabilities `(..., 4)`."""
    result: npt.NDArray[np.float64] = 1.0 - np.asarray(calibrated, np.float64)[..., NOTUMOR]
    return result
