"""Check an image before its analysis: orientation, crop, text and markings, quality.

The checks know nothing of diseases. `manage.py check_inspection` measures them, and
`docs/decisions/0013-input-check.md` has the figures.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.input_problems import CROPPED, DARK, EDGE, MARKED, MARKED_HEAD, SMALL, TURNED
from classifier.inspection.convolution import ConvolutionalNetwork
from classifier.inspection.head import SMALL_SIDE, Head, find_head
from classifier.inspection.normalize import BRIGHTEST, head_square, normalized
from classifier.inspection.outside import SIDE, head_mask, outside_head

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Cells = tuple[tuple[int, int], ...]

NETWORKS: Final = Path(__file__).with_name("networks.npz")
TURN_SIDE: Final = 64
MARK_CELLS: Final = 16

TURN_LIMIT: Final = 1.0
"""Mean log-odds of a turned head against an upright one, from which an image counts as turned."""
MARK_BRIGHT: Final = 0.6
"""Brightness outside the head, in units of bright tissue, that no background has."""
MARK_PIXELS: Final = 5
"""Number of such pixels, of 256 x 256, from which an image counts as marked."""
MARK_FAINT: Final = 0.2
"""Brightness that belongs to the markings of a marked image: their blurred edges."""
MARK_LIMIT: Final = 0.0
"""Log-odds of a marking from which a cell outside the head counts as marked."""
MARK_LIMIT_HEAD: Final = 1.25
"""The same in the head, where vessels and folds look like markings."""
HEAD_SHARE: Final = 0.1
"""Share of a cell from which it lies in the head: what is in it cannot be blanked out."""
LEAST_BRIGHT: Final = 24
"""An image whose bright tissue is darker than this has too little contrast."""
LEAST_SIDE: Final = 96
"""A smaller image shows too little detail."""

EDGE_AREA: Final = 0.12
"""A head that fills less of the image is a slice at the end of its stack."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an image.

    Attributes:
        code: A key of `input_problems.SENTENCES`.
        detail: Of `turned`, the quarter turns clockwise that make the image upright, "1" to "3"; of `cropped`, the
            sides, separated by commas.
        cells: Of `marked` and `marked_head`, the marked cells of a grid of `MARK_CELLS` by `MARK_CELLS`, as row and
            column.
    """

    code: str
    detail: str = ""
    cells: Cells = ()

    def as_dict(self) -> dict[str, object]:
        """Return the problem as plain data."""
        found: dict[str, object] = {"code": self.code, "detail": self.detail}
        return found | ({"cells": [list(cell) for cell in self.cells]} if self.cells else {})


def inspect_image(image: UInt8Array) -> list[Problem]:
    """Return the problems of an image; an empty list if there are none.

    Args:
        image: uint8 `(H, W)`, the canonical pixels.
    """
    problems = []
    quarters = quarter_turns(image)
    if quarters:
        problems.append(Problem(TURNED, str(quarters)))
    head = head_of(image)
    if len(head.cut) >= 2:
        problems.append(Problem(CROPPED, ",".join(head.cut)))
    # A black picture shows no slice of anything.
    if 0 < head.area < EDGE_AREA:
        problems.append(Problem(EDGE))
    outside, in_head = marked_cells(image)
    if outside:
        problems.append(Problem(MARKED, cells=outside))
    if in_head:
        problems.append(Problem(MARKED_HEAD, cells=in_head))
    if min(image.shape) < LEAST_SIDE:
        problems.append(Problem(SMALL))
    elif float(np.percentile(image, 99)) < LEAST_BRIGHT:
        problems.append(Problem(DARK))
    return problems


def turn_scores(image: UInt8Array) -> Float32Array:
    """Return the mean log-probabilities of 0 to 3 quarter turns counterclockwise, float32 `(4,)`.

    The network sees the image and its mirror image, each turned four ways. It must give matching answers.
    """
    head = head_square(image, side=TURN_SIDE)
    scores = np.zeros(4, np.float32)
    for is_mirrored in (False, True):
        for turn in range(4):
            view = np.rot90(head[:, ::-1] if is_mirrored else head, turn)
            logits = _network("turn")(np.ascontiguousarray(view))
            found = np.roll(logits - logits.max() - np.log(np.exp(logits - logits.max()).sum()), -turn)
            scores += found[[0, 3, 2, 1]] if is_mirrored else found
    result: Float32Array = scores / np.float32(8)
    return result


def quarter_turns(image: UInt8Array) -> int:
    """Return the quarter turns clockwise that make the image upright; 0 if it is upright, or in doubt."""
    scores = turn_scores(image)
    found = int(scores.argmax())
    return found if scores[found] - scores[0] >= TURN_LIMIT else 0


def head_of(image: UInt8Array) -> Head:
    """Return where the head lies in an image."""
    small = np.asarray(Image.fromarray(image).resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX), np.float32)
    return find_head(small / np.float32(max(float(np.percentile(small, 99)), 16.0)))


def marked_cells(image: UInt8Array) -> tuple[Cells, Cells]:
    """Return the cells with text or markings outside the head, and those in it or touching it.

    Outside the head every bright pixel counts. Everywhere a network looks for what is drawn.

    Args:
        image: uint8 `(H, W)`.

    Returns:
        Row and column of cells in the padded square of the image.
    """
    values = normalized(image, side=SIDE)
    head = head_mask(values)
    bright = bright_cells(values, head)
    in_head = _cells(head).mean(axis=(2, 3)) > HEAD_SHARE
    drawn = mark_scores(values) >= np.where(in_head, MARK_LIMIT_HEAD, MARK_LIMIT)
    return _places(bright | (drawn & ~in_head)), _places(drawn & in_head & ~bright)


def bright_cells(values: Float32Array, head: BoolArray) -> BoolArray:
    """Return the cells with bright pixels outside the head: bool `(MARK_CELLS, MARK_CELLS)`.

    Args:
        values: float32 `(SIDE, SIDE)`, from `normalized`.
        head: bool `(SIDE, SIDE)`, from `head_mask`.
    """
    outside = outside_head(values, head)
    if (outside >= MARK_BRIGHT).sum() < MARK_PIXELS:
        return np.zeros((MARK_CELLS, MARK_CELLS), np.bool_)
    found: BoolArray = np.asarray(_cells(outside >= MARK_FAINT).any(axis=(2, 3)))
    return found


def mark_scores(values: Float32Array) -> Float32Array:
    """Return the log-odds of text or a marking in each cell: float32 `(MARK_CELLS, MARK_CELLS)`.

    Args:
        values: float32 `(SIDE, SIDE)`, from `normalized`.
    """
    scores: Float32Array = _network("mark").at_places(np.minimum(values, np.float32(BRIGHTEST)))[..., 0]
    return scores


def _cells(pixels: BoolArray) -> BoolArray:
    size = SIDE // MARK_CELLS
    return pixels.reshape(MARK_CELLS, size, MARK_CELLS, size).swapaxes(1, 2)


def _places(cells: BoolArray) -> Cells:
    rows, columns = np.nonzero(cells)
    return tuple((int(row), int(column)) for row, column in zip(rows, columns, strict=True))


@functools.cache
def _network(name: str) -> ConvolutionalNetwork:
    return ConvolutionalNetwork.load(NETWORKS, name=name)
