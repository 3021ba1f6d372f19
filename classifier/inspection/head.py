"""Where the head lies in an image, and at which sides the image cuts it off."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

SIDES: Final = ("top", "bottom", "left", "right")
SMALL_SIDE: Final = 128
IGNORED_LINES: Final = 2
"""Lines at the edge of the reduced image that scanners leave black or bright."""
CUT_SHARE: Final = 0.3
"""Share of the head's width on an edge from which the head counts as cut off there."""
CUT_PIXELS: Final = 0.16
"""The same as a share of the image's side, so that a small contact does not count."""
SPECK: Final = 4.0
"""Brightness of a pixel, in units of bright tissue, from which that tissue is no tissue: what is bright fills less than
1% of the image, as in the outermost slices. No head has such a pixel."""
VERTEX_SHARE: Final = 0.5
"""Share of the head's width at the top from which it counts as cut off there, if the only other side is the bottom: in
a tight field of view the neck leaves the image below, and the vertex touches its upper edge."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head in an image.

    Attributes:
        area: Share of the image that the head fills, in [0, 1].
        cut: The sides at which the image cuts it off, in the order of `SIDES`.
    """

    area: float
    cut: tuple[str, ...]


def find_head(small: npt.NDArray[np.float32]) -> Head:
    """Find the head.

    Args:
        small: float32 `(SMALL_SIDE, SMALL_SIDE)`, from `normalized` without black sides.
    """
    brightest = float(small.max())
    if brightest > SPECK:
        # What would count as bright is the noise of the background.
        return Head(area=float((small > 0.15 * brightest).mean()), cut=())
    bright = small > 0.15
    mask = _between(bright, axis=0) & _between(bright, axis=1)
    rows, columns = mask.any(axis=1).sum(), mask.any(axis=0).sum()
    inner = bright[IGNORED_LINES:-IGNORED_LINES, IGNORED_LINES:-IGNORED_LINES]
    edges = {
        "top": (_longest(inner[:3].mean(axis=0) > 0.5), columns),
        "bottom": (_longest(inner[-3:].mean(axis=0) > 0.5), columns),
        "left": (_longest(inner[:, :3].mean(axis=1) > 0.5), rows),
        "right": (_longest(inner[:, -3:].mean(axis=1) > 0.5), rows),
    }
    cut = tuple(side for side in SIDES if edges[side][0] >= max(CUT_SHARE * edges[side][1], CUT_PIXELS * len(small)))
    if cut == ("top", "bottom") and edges["top"][0] < VERTEX_SHARE * columns:
        cut = ("bottom",)
    return Head(area=float(mask.mean()), cut=cut)


def _between(bright: BoolArray, *, axis: int) -> BoolArray:
    before = np.logical_or.accumulate(bright, axis=axis)
    after = np.flip(np.logical_or.accumulate(np.flip(bright, axis=axis), axis=axis), axis=axis)
    result: BoolArray = before & after
    return result


def _longest(line: BoolArray) -> int:
    """Return the length of the longest run of bright pixels, gaps of two pixels included."""
    places = np.flatnonzero(line)
    if not len(places):
        return 0
    breaks = np.flatnonzero(np.diff(places) > 3)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [len(places) - 1]))
    return int((places[ends] - places[starts] + 1).max())
