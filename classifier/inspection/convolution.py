"""Small convolutional networks in NumPy. A web process runs them, so they need no library of networks."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

KERNEL: Final = 3


class ConvolutionalNetwork:
    """Convolutions of 3 by 3 pixels with ReLU, each followed by 2 by 2 maximum pooling, then one dense layer."""

    def __init__(self, weights: list[Float32Array], biases: list[Float32Array]) -> None:
        """Store the weights.

        Args:
            weights: float32 `(3, 3, inputs, outputs)` each; the last is `(inputs, outputs)`.
            biases: float32 `(outputs,)` each.
        """
        self._layers = list(zip(weights, biases, strict=True))

    @classmethod
    def load(cls, path: Path, *, name: str) -> "ConvolutionalNetwork":
        """Read a network from an `.npz` file with the arrays `name.weights.0`, `name.biases.0`, and so on."""
        with np.load(path) as file:
            count = sum(key.startswith(f"{name}.weights.") for key in file.files)
            weights = [file[f"{name}.weights.{index}"].astype(np.float32) for index in range(count)]
            biases = [file[f"{name}.biases.{index}"].astype(np.float32) for index in range(count)]
        return cls(weights, biases)

    def __call__(self, image: Float32Array) -> Float32Array:
        """Return the outputs.

        Args:
            image: float32 `(side, side)`.

        Returns:
            float32 `(outputs,)`.
        """
        values = image[:, :, None]
        *convolutions, last = self._layers
        for weights, biases in convolutions:
            values = _pooled(_convolved(values, weights) + biases)
            np.maximum(values, 0.0, out=values)
        result: Float32Array = values.reshape(-1) @ last[0] + last[1]
        return result


def _convolved(values: Float32Array, weights: Float32Array) -> Float32Array:
    """Convolve with a zero border of one pixel: float32 `(H, W, inputs)` → `(H, W, outputs)`."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), axis=(0, 1))
    height, width, inputs = windows.shape[:3]
    columns = windows.transpose(0, 1, 3, 4, 2).reshape(height * width, KERNEL * KERNEL * inputs)
    result: Float32Array = (columns @ weights.reshape(-1, weights.shape[-1])).reshape(height, width, -1)
    return result


def _pooled(values: Float32Array) -> Float32Array:
    height, width, channels = values.shape
    result: Float32Array = values.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    return result
