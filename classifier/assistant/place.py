"""Describe where the evidence of a class map lies: side, height, and extent, in the picture's own terms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.inference.saliency import VISIBLE_FROM

SHARE_OF_PEAK = 0.5
"""A cell belongs to an area if its evidence is at least this share of the strongest."""

CENTER = (0.42, 0.58)
"""Between these shares of the width or height, an area lies in the middle: a map has few cells, so thirds mislead."""

STRONG_FROM, MEDIUM_FROM = 0.75, 0.4
"""Peaks of the evidence, in [0, 1], from which the color of the overlay is close to full, or past its first half."""


@dataclass(frozen=True, slots=True)
class Area:
    """One connected area of evidence.

    Attributes:
        side: "left", "right", or "middle" of the picture as it is shown.
        height: "upper", "lower", or "middle" part of the picture.
        weight: Sum of its evidence, to order areas.
    """

    side: str
    height: str
    weight: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where the evidence for a finding lies.

    Attributes:
        strength: "strong", "of medium strength", or "weak", by the peak on the overlay's scale.
        extent: Share of the picture that all areas cover, in (0, 1].
        areas: The areas, the strongest first; at least one.
    """

    strength: str
    extent: float
    areas: tuple[Area, ...]

    @property
    def names_side(self) -> bool:
        """Whether an area lies on one side."""
        return any(area.side != "middle" for area in self.areas)


def evidence_place(evidence: Float32Array) -> Place | None:
    """Return where evidence lies; None if it is too faint to be seen in an overlay.

    Args:
        evidence: float32 `(h, w)` in [0, 1], as `class_evidence` returns it: row 0 at the top, column 0 at the left.
    """
    peak = float(evidence.max())
    if peak < VISIBLE_FROM:
        return None
    member = evidence >= max(SHARE_OF_PEAK * peak, VISIBLE_FROM)
    areas = [_area(evidence, cells) for cells in _connected(member)]
    return Place(
        strength="strong" if peak >= STRONG_FROM else "of medium strength" if peak >= MEDIUM_FROM else "weak",
        extent=float(member.mean()),
        areas=tuple(sorted(areas, key=lambda area: -area.weight)),
    )


def _area(evidence: Float32Array, cells: Sequence[tuple[int, int]]) -> Area:
    rows, columns = np.array(cells).T
    weights = evidence[rows, columns].astype(np.float64)
    x = float(np.average(columns + 0.5, weights=weights)) / evidence.shape[1]
    y = float(np.average(rows + 0.5, weights=weights)) / evidence.shape[0]
    return Area(side=_third(x, "left", "right"), height=_third(y, "upper", "lower"), weight=float(weights.sum()))


def _third(share: float, before: str, after: str) -> str:
    low, high = CENTER
    return before if share < low else after if share > high else "middle"


def _connected(member: np.ndarray) -> Iterator[list[tuple[int, int]]]:
    """Yield the connected groups of true cells; cells that touch at a corner are connected."""
    left = {(int(row), int(column)) for row, column in np.argwhere(member)}
    while left:
        group, queue = [], [left.pop()]
        while queue:
            row, column = queue.pop()
            group.append((row, column))
            near = {(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            queue.extend(near)
        yield group
