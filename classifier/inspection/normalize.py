"""The input of the inspection's networks."""

import numpy as np
import numpy.typing as npt
from PIL import Image

Float32Array = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]

BRIGHT_PERCENTILE = 99.0
HEAD_SEARCH_SIDE = 96
BRIGHT_FROM = 0.15
LEAST_SHARE = 0.03
"""Share of bright pixels from which a line belongs to the head, so that specks and text do not count."""
HEAD_MARGIN = 0.04
BRIGHTEST = 1.3
"""Brightness, in units of bright tissue, above which a pixel is cut off for a network."""


def normalized(image: UInt8Array, *, side: int) -> Float32Array:
    """Return an image as a square with its bright tissue at 1.

    The proportions are kept; the shorter sides are filled with black.

    Args:
        image: uint8 `(H, W)`.
        side: Side of the result in pixels.

    Returns:
        float32 `(side, side)`, at least 0, mostly below 1.5.
    """
    canvas, inside = _on_canvas(image, side=side)
    bright = float(np.percentile(canvas[inside], BRIGHT_PERCENTILE))
    result: Float32Array = canvas / np.float32(max(bright, 16.0))
    return result


def padded(image: UInt8Array | Float32Array, *, side: int) -> Float32Array:
    """Return an image in the square of `normalized`, with its own brightness: float32 `(side, side)`."""
    return _on_canvas(image, side=side)[0]


def _on_canvas(image: UInt8Array | Float32Array, *, side: int) -> tuple[Float32Array, tuple[slice, slice]]:
    height, width = image.shape
    scale = side / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = np.asarray(Image.fromarray(image).resize(small, Image.Resampling.BOX), np.float32)
    canvas = np.zeros((side, side), np.float32)
    top, left = (side - resized.shape[0]) // 2, (side - resized.shape[1]) // 2
    inside = np.s_[top : top + resized.shape[0], left : left + resized.shape[1]]
    canvas[inside] = resized
    return canvas, inside


def head_square(image: UInt8Array, *, side: int) -> Float32Array:
    """Return the square around the head with its bright tissue at 1, so that size and place do not matter.

    Args:
        image: uint8 `(H, W)`.
        side: Side of the result in pixels.

    Returns:
        float32 `(side, side)`, at least 0, mostly below 1.5.
    """
    small = normalized(image, side=HEAD_SEARCH_SIDE)
    rows, columns = (_extent((small > BRIGHT_FROM).mean(axis=axis)) for axis in (1, 0))
    length = max(rows[1] - rows[0], columns[1] - columns[0], HEAD_SEARCH_SIDE // 4) * (1 + 2 * HEAD_MARGIN)
    scale = max(image.shape) / HEAD_SEARCH_SIDE
    top, left = (
        ((first + last) / 2 - length / 2) * scale - (max(image.shape) - extent) / 2
        for (first, last), extent in zip((rows, columns), image.shape, strict=True)
    )
    # `crop` fills what lies outside the image with black.
    box = tuple(round(edge) for edge in (left, top, left + length * scale, top + length * scale))
    square = Image.fromarray(image).crop(box).resize((side, side), Image.Resampling.BOX)
    result = np.asarray(square, np.float32)
    return result / np.float32(max(float(np.percentile(result, BRIGHT_PERCENTILE)), 16.0))


def _extent(share: npt.NDArray[np.floating]) -> tuple[int, int]:
    """Return the first and one after the last line that the head touches; the whole length if there is none."""
    lines = np.flatnonzero(share > LEAST_SHARE)
    return (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, len(share))
