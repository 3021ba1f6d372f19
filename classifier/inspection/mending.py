"""Mend an image: turn it upright, blank out text and markings, or cut its borders off."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.inspection.checks import MARK_CELLS

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Margins:
    """The borders to cut off, each in percent of the image's height or width, from 0 on."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def rows(self, height: int) -> tuple[int, int]:
        """Return the first row that stays, and one after the last."""
        return math.ceil(self.top * height / 100), math.floor((100 - self.bottom) * height / 100)

    def columns(self, width: int) -> tuple[int, int]:
        """Return the first column that stays, and one after the last."""
        return math.ceil(self.left * width / 100), math.floor((100 - self.right) * width / 100)


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


def cropped(image: UInt8Array, *, margins: Margins) -> UInt8Array:
    """Return the image without its margins: uint8 `(H, W)`, smaller."""
    height, width = image.shape
    return np.ascontiguousarray(image[slice(*margins.rows(height)), slice(*margins.columns(width))])


def free_margins(height: int, width: int, cells: Iterable[tuple[int, int]]) -> Margins:
    """Return the margins around the largest part of an image that holds none of the cells; all 0 without cells.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        cells: Row and column of cells of the padded square, from `marked_cells`.
    """
    blocked = np.zeros((2 * MARK_CELLS, 2 * MARK_CELLS), np.bool_)
    for row, column in cells:
        blocked[max(0, 2 * row - 1) : 2 * row + 3, max(0, 2 * column - 1) : 2 * column + 3] = True
    half = max(height, width) / len(blocked)
    # Where the image lies in the square, in halves of a cell.
    edges = [(len(blocked) - side / half) / 2 for side in (height, width)]
    rows, columns = ((math.floor(edge), math.ceil(len(blocked) - edge)) for edge in edges)
    largest, found = 0, (rows, columns)
    for first in range(*rows):
        free = np.ones(len(blocked), np.bool_)
        for last in range(first, rows[1]):
            free &= ~blocked[last]
            start, end = _longest(free, *columns)
            if (area := (last + 1 - first) * (end - start)) > largest:
                largest, found = area, ((first, last + 1), (start, end))
    shares = []
    for (first, last), edge, side in zip(found, edges, (height, width), strict=True):
        begin, end = (first - edge) * half / side, (last - edge) * half / side
        shares += [max(0.0, begin), max(0.0, 1 - end)]
    return Margins(*(math.ceil(round(100 * share, 6)) for share in shares))


def _longest(free: npt.NDArray[np.bool_], first: int, last: int) -> tuple[int, int]:
    """Return the beginning and the end of the longest run of free places between two places."""
    best, start = (first, first), first
    for place in range(first, last + 1):
        if place < last and free[place]:
            continue
        best, start = max(best, (start, place), key=lambda run: run[1] - run[0]), place + 1
    return best
