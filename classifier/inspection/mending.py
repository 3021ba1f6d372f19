"""Mend an image: turn it upright, or blank out text and markings."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from classifier.inspection.checks import MARK_CELLS

UInt8Array = npt.NDArray[np.uint8]


def turned(image: UInt8Array, *, quarters: int) -> UInt8Array:
    """Return the image turned clockwise by quarter turns."""
    return np.ascontiguousarray(np.rot90(image, -quarters))


def blanked(image: UInt8Array, *, cells: Iterable[tuple[int, int]]) -> UInt8Array:
    """Return the image with cells, and half a cell around each, painted black.

    Args:
        image: uint8 `(H, W)`.
        cells: Row and column of cells of the padded square, from `marked_cells`.
    """
    height, width = image.shape
    side = max(height, width)
    cell = side / MARK_CELLS
    top, left = (side - height) / 2, (side - width) / 2
    result = image.copy()
    for row, column in cells:
        first, last = (row - 0.5) * cell - top, (row + 1.5) * cell - top
        start, end = (column - 0.5) * cell - left, (column + 1.5) * cell - left
        result[max(0, int(first)) : max(0, int(last) + 1), max(0, int(start)) : max(0, int(end) + 1)] = 0
    return result
