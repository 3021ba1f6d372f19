"""Preprocessing from an 8-bit image to the network's input, shared by training, evaluation and serving."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

RESIZE_METHODS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The input format of a model, from its card.

    Attributes:
        size: Side of the square input in pixels.
        channels: Number of copies of the gray channel.
        low: Value of a black pixel (0) in the input.
        high: Value of a white pixel (255) in the input.
        resize: Name of the resampling filter, a key of `RESIZE_METHODS`. Pillow's filters widen with the
            reduction, so downsampling does not alias.
    """

    size: int = 299
    channels: int = 3
    low: float = -1.0
    high: float = 1.0
    resize: str = "bicubic"

    def __post_init__(self) -> None:
        if self.resize not in RESIZE_METHODS:
            known = ", ".join(sorted(RESIZE_METHODS))
            raise ValueError(f"The resize method must be one of {known}. Received: {self.resize!r}")
        if self.size < 1 or self.channels < 1 or not self.low < self.high:
            raise ValueError(f"Size and channels must be positive and low below high. Received: {self!r}")


DEFAULT = Preprocessing()


def resize(image: UInt8Array, *, size: int, method: str = "bicubic") -> UInt8Array:
    """Resize a gray image to a square. The aspect ratio is not kept, as in training.

    Args:
        image: uint8 array `(H, W)`, any size.
        size: Side of the result in pixels.
        method: A key of `RESIZE_METHODS`.

    Returns:
        uint8 array `(size, size)`.

    Raises:
        ValueError: If the image is not a two-dimensional uint8 array with at least one pixel.
    """
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"An image must be uint8 (H, W). Received: {image.dtype} {image.shape}")
    if image.shape == (size, size):
        return image
    resized = Image.fromarray(image).resize((size, size), RESIZE_METHODS[method])
    return np.asarray(resized, dtype=np.uint8)


def to_input(pixels: UInt8Array, *, parameters: Preprocessing = DEFAULT) -> Float32Array:
    """Scale resized pixels to the network's value range and repeat the gray channel.

    Args:
        pixels: uint8 array `(..., S, S)`.
        parameters: Value range and number of channels.

    Returns:
        float32 array `(..., S, S, channels)` in `[low, high]`.
    """
    scaled = pixels.astype(np.float32)
    scaled *= (parameters.high - parameters.low) / 255.0
    scaled += parameters.low
    inputs = np.empty((*pixels.shape, parameters.channels), np.float32)
    # Filling channel by channel is several times faster than `np.repeat`.
    for channel in range(parameters.channels):
        inputs[..., channel] = scaled
    return inputs


def preprocess(image: UInt8Array, *, parameters: Preprocessing = DEFAULT) -> Float32Array:
    """Turn one canonical image into the network's input.

    Args:
        image: uint8 array `(H, W)`, 0–255, any size.
        parameters: The model's preprocessing, from its card.

    Returns:
        float32 array `(size, size, channels)` in `[low, high]`; `(299, 299, 3)` in [-1, 1] by default.

    Raises:
        ValueError: If the image is not a two-dimensional uint8 array.
    """
    return to_input(resize(image, size=parameters.size, method=parameters.resize), parameters=parameters)


def preprocess_batch(images: Iterable[UInt8Array], *, parameters: Preprocessing = DEFAULT) -> Float32Array:
    """Preprocess several images into float32 `(N, size, size, channels)`; see `preprocess`."""
    resized = [resize(image, size=parameters.size, method=parameters.resize) for image in images]
    return to_input(np.stack(resized), parameters=parameters)
