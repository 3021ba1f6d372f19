"""From logits to probabilities that mean what they say."""

import numpy as np
import numpy.typing as npt

from classifier.inference.preprocessing import Float32Array

MIN_PERCENT, MAX_PERCENT = 1, 99
"""No finding is ever shown as impossible or certain: the test sets are too small to tell 99 from 100 %."""


def probabilities(logits: npt.ArrayLike, *, temperature: float) -> Float32Array:
    """Softmax of the logits divided by a temperature (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Args:
        logits: Array `(..., 4)`.
        temperature: Positive; 1 changes nothing, larger values make the probabilities more cautious.

    Returns:
        float32 array of the same shape; the last axis sums to 1.

    Raises:
        ValueError: If the temperature is not positive or a logit is not finite.
    """
    scaled = np.asarray(logits, np.float64)
    if not temperature > 0 or not np.isfinite(scaled).all():
        raise ValueError(f"Logits must be finite and the temperature positive. Received: temperature {temperature}")
    scaled = scaled / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: Float32Array = (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result


def display_percent(probability: float) -> int:
    """A probability in [0, 1] as whole percent for people, 1–99: never 0, never 100."""
    return int(min(MAX_PERCENT, max(MIN_PERCENT, round(100 * probability))))
