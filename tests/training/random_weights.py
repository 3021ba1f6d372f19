"""Weights as a training might leave them, without the training."""

from typing import Any

import numpy as np


def set_random_weights(model: Any, rng: np.random.Generator) -> None:
    """Give a Keras model weights and statistics of both signs, and variances of at least 0.5."""
    model.set_weights(
        [
            np.abs(array) + 0.5 if "variance" in weight.path else rng.normal(size=array.shape).astype(np.float32)
            for weight, array in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
