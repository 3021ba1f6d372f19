"""Small convolutional networks in NumPy. A web process runs them, so they need no library of networks."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

KERNEL: Final = 3


class ConvolutionalNetwork:
    """Convolutions of 3 by 3 pixels, each with 2 by 2 maximum pooling, a scale, and ReLU, then one dense layer.

    The dense layer sees all places at once, or each place alone, as its weights were trained.
    """

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
        """Return the outputs of a network whose dense layer sees all places.

        Args:
            image: float32 `(side, side)`.

        Returns:
            float32 `(outputs,)`.
        """
        weights, biases = self._dense
        result: Float32Array = self._features(image).reshape(-1) @ weights + biases
        return result

    def at_places(self, image: Float32Array) -> Float32Array:
        """Return the outputs of a network whose dense layer sees each place alone.

        Args:
            image: float32 `(side, side)`.

        Returns:
            float32 `(places, places, outputs)`; each convolution halves the side.
        """
        weights, biases = self._dense
        result: Float32Array = self._features(image) @ weights + biases
        return result

    def _features(self, image: Float32Array) -> Float32Array:
        values = image[None]
        for weights, scales, biases in self._convolutions:
            values = _pooled(_convolved(values, weights)) * scales[:, None, None] + biases[:, None, None]
            np.maximum(values, 0.0, out=values)
        return np.ascontiguousarray(values.transpose(1, 2, 0))


def _convolved(values: Float32Array, weights: Float32Array) -> Float32Array:
    """Convolve with a zero border of one pixel: float32 `(inputs, H, W)` → `(outputs, H, W)`."""
    inputs, height, width = values.shape
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    # Whole rows are copied, which is several times as fast as windows of three pixels.
    shifted = np.empty((KERNEL, KERNEL, inputs, height, width), np.float32)
    for row in range(KERNEL):
        for column in range(KERNEL):
            shifted[row, column] = padded[:, row : row + height, column : column + width]
    kernels = weights.reshape(-1, weights.shape[-1]).T
    result: Float32Array = (kernels @ shifted.reshape(-1, height * width)).reshape(-1, height, width)
    return result


def _pooled(values: Float32Array) -> Float32Array:
    rows = np.maximum(values[:, ::2], values[:, 1::2])
    result: Float32Array = np.maximum(rows[:, :, ::2], rows[:, :, 1::2])
    return result
