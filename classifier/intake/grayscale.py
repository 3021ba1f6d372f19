"""From stored values of any depth to 8 bits.

Every mapping goes through a table with one entry for each value that can occur: a curve in float64 is then
computed once per gray level instead of once per pixel, and a large image needs no floating-point copy of itself.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.intake.limits import MAX_GREY_LEVELS
from classifier.intake.refusals import RefusedImage

IntArray = NDArray[np.integer[Any]]
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Percentiles shown as darkest and brightest when a file names no window: far enough in to pass over hot pixels, and
# little enough that a bright lesion of a percent of the area keeps its contrast.
_DARK_PERCENT, _BRIGHT_PERCENT = 0.1, 99.9


def render(stored: IntArray, *, curve: Curve) -> NDArray[np.uint8]:
    """Map stored values to 8 bits through a curve.

    Args:
        stored: Integer array `(H, W)`, of any integer type.
        curve: Takes ascending stored values, float64 `(N,)`; returns shades, float64 `(N,)`, of which what
            lies outside [0, 1] is clipped.

    Returns:
        uint8 array `(H, W)`, 0 to 255.

    Raises:
        RefusedImage: `dicom_unsupported` if the values span more than `MAX_GREY_LEVELS`.
    """
    lowest, highest = int(stored.min()), int(stored.max())
    if highest - lowest >= MAX_GREY_LEVELS:
        raise RefusedImage("dicom_unsupported")
    levels = curve(np.arange(lowest, highest + 1, dtype=np.float64))
    table = np.rint(np.clip(np.nan_to_num(levels), 0.0, 1.0) * 255.0).astype(np.uint8)
    flat = stored.reshape(-1)
    pixels = np.empty(flat.shape, dtype=np.uint8)
    for block in _blocks(flat.size):
        pixels[block] = table[flat[block].astype(np.int64) - lowest]
    return pixels.reshape(stored.shape)


def spread(stored: IntArray, *, padding: int | None = None) -> tuple[float, float]:
    """Return the values that should become black and white when a file names no window.

    Args:
        stored: Integer array `(H, W)`.
        padding: A value that marks pixels outside the image, left out of the count.

    Returns:
        The 0.1th and the 99.9th percentile; they are equal for an image of one gray level.

    Raises:
        RefusedImage: `dicom_unsupported` if the values span more than `MAX_GREY_LEVELS`.
    """
    lowest, highest = int(stored.min()), int(stored.max())
    if highest - lowest >= MAX_GREY_LEVELS:
        raise RefusedImage("dicom_unsupported")
    counts = np.zeros(highest - lowest + 1, dtype=np.int64)
    flat = stored.reshape(-1)
    for block in _blocks(flat.size):
        counts += np.bincount(flat[block].astype(np.int64) - lowest, minlength=len(counts))
    if padding is not None and lowest <= padding <= highest and counts.sum() > counts[padding - lowest]:
        counts[padding - lowest] = 0
    share = np.cumsum(counts) / counts.sum()
    low = lowest + int(np.searchsorted(share, _DARK_PERCENT / 100))
    high = lowest + int(np.searchsorted(share, _BRIGHT_PERCENT / 100))
    return float(low), float(high)


def _blocks(size: int) -> Iterator[slice]:
    """Cut `size` values into slices of a million: 64-bit indices of all would be eight images more."""
    step = 1 << 20
    return (slice(start, start + step) for start in range(0, size, step))


def ramp(low: float, high: float) -> Curve:
    """Return the straight line from 0 at `low` to 1 at `high`; a step above `low` if they are equal."""
    width = max(high - low, 1e-9)
    return lambda values: (values - low) / width


def from_16_bit(stored: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Bring a 16-bit grayscale PNG to 8 bits.

    A file that uses the upper half of its range was scaled on purpose and is divided by 257, so it equals its
    own 8-bit export. One that stays below holds raw values (12 bits are usual), would be nearly black when
    divided, and is spread from its 0.1th to its 99.9th percentile.

    Args:
        stored: uint16 array `(H, W)`.

    Returns:
        uint8 array `(H, W)`.
    """
    if int(stored.max()) >= 1 << 15:
        return render(stored, curve=ramp(0.0, 65535.0))
    low, high = spread(stored)
    return render(stored, curve=ramp(low, high))
