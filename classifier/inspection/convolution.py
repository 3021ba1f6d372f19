"""Small convolutional networks in NumPy. A web process runs them, so they need no library of networks."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

KERNEL: Final = 3


class ConvolutionalNetwork:
    """Convolutions of 3 by 3 pixels, each with 2 by 2 maximum pooling, a scale, and ReLU, then one dense layer."""

    def __init__(self, weights: list[Float32Array], scales: list[Float32Array], biases: list[Float32Array]) -> None:
        """Store the weights.

        Args:
            weights: float32 `(3, 3, inputs, outputs)` each; the last is `(inputs, outputs)`.
            scales: float32 `(outputs,)` of each convolution: batch normalization in training.
            biases: float32 `(outputs,)` of each layer.
        """
        self._convolutions = list(zip(weights[:-1], scales, biases[:-1], strict=True))
        self._dense = weights[-1], biases[-1]

    @classmethod
    def load(cls, path: Path, *, name: str) -> "ConvolutionalNetwork":
        """Read a network from an `.npz` file with the arrays `name.weights.0`, `name.scales.0`, `name.biases.0`, ..."""
        with np.load(path) as file:

            def read(kind: str) -> list[Float32Array]:
                count = sum(key.startswith(f"{name}.{kind}.") for key in file.files)
                return [file[f"{name}.{kind}.{index}"].astype(np.float32) for index in range(count)]

            return cls(read("weights"), read("scales"), read("biases"))

    def __call__(self, image: Float32Array) -> Float32Array:
        """Return the outputs.

        Args:
            image: float32 `(side, side)`.

        Returns:
            float32 `(outputs,)`.
        """
        values = image[:, :, None]
        for weights, scales, biases in self._convolutions:
            values = _pooled(_convolved(values, weights)) * scales + biases
            np.maximum(values, 0.0, out=values)
        weights, biases = self._dense
        result: Float32Array = values.reshape(-1) @ weights + biases
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
