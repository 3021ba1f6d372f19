"""The arrays of a trained network of the input check."""

from typing import Any

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


def arrays_of(model: Any, *, name: str) -> dict[str, Float32Array]:
    """Return the weights as `ConvolutionalNetwork.load` reads them, batch normalization as scales and biases."""
    found: dict[str, list[Float32Array]] = {"weights": [], "scales": [], "biases": []}
    for layer in model.layers:
        arrays = layer.get_weights()
        if len(arrays) == 4:
            gain, offset, mean, variance = arrays
            scale = gain / np.sqrt(variance + layer.epsilon)
            found["scales"].append(scale)
            found["biases"].append(offset - mean * scale)
        elif arrays:
            found["weights"].append(arrays[0])
            found["biases"] += arrays[1:]
    return {f"{name}.{kind}.{index}": array for kind, arrays in found.items() for index, array in enumerate(arrays)}
