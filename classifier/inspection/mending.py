"""Mend an image: turn it upright, blank out text and markings, or cut its borders off."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.inspection.checks import MARK_CELLS
from classifier.inspection.head import SIDES
from classifier.inspection.normalize import normalized
from classifier.inspection.outside import SIDE, head_mask

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


def free_margins(image: UInt8Array, *, cells: Iterable[tuple[int, int]]) -> Margins:
    """Return margins that hold the cells and leave the head whole; a cell beside which there is no such margin stays.

    Args:
        image: uint8 `(H, W)`.
        cells: Row and column of cells of the padded square, from `marked_cells`.
    """
    head = head_mask(normalized(image, side=SIDE))
    # From each side of the padded square to the head, as a share of the square.
    limits = dict(zip(SIDES, (*_outside(head, axis=1), *_outside(head, axis=0)), strict=True))
    needs = [need for row, column in cells if (need := _needs(row, column, limits))]
    found = dict.fromkeys(SIDES, 0.0)
    # Where there is one choice only, others often lie in its margin.
    for need in sorted(needs, key=len):
        side = min(need, key=lambda name: need[name] - found[name])
        found[side] = max(found[side], need[side])
    square = max(image.shape)
    shares = []
    for side, share in found.items():
        extent = image.shape[0 if side in ("top", "bottom") else 1]
        shares.append(max(0.0, (share - (1 - extent / square) / 2) * square / extent))
    return Margins(*(math.ceil(round(100 * share, 6)) for share in shares))


def _outside(head: npt.NDArray[np.bool_], *, axis: int) -> tuple[float, float]:
    """Return the shares of the square before the first and after the last line of the head; 0 without a head."""
    places = np.flatnonzero(head.any(axis=axis))
    if not len(places):
        return 0.0, 0.0
    return float(places[0]) / len(head), 1 - float(places[-1] + 1) / len(head)


def _needs(row: int, column: int, limits: Mapping[str, float]) -> dict[str, float]:
    """Return what each side would lose with a cell and half a cell beside it, at most up to the head."""
    last = MARK_CELLS - 1
    distances = {"top": row, "bottom": last - row, "left": column, "right": last - column}
    return {
        side: min((distance + 1.5) / MARK_CELLS, limits[side])
        for side, distance in distances.items()
        if (distance + 0.5) / MARK_CELLS <= limits[side]
    }
