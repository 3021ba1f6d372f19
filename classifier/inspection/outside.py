"""Text and markings outside the head: bright pixels that do not belong to its connected region."""

from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]

SIDE: Final = 256
BLOCK: Final = 4
"""Side in pixels of the blocks in which the head is looked for."""
BLOCK_BRIGHT: Final = 0.08
MARGIN_BLOCKS: Final = 1
TISSUE: Final = 0.15
SOLID_BLOCKS: Final = 12
SOLID_SHARE: Final = 0.7
"""Share of tissue from which a region of at least `SOLID_BLOCKS` is part of the head. Text leaves gaps."""
MAX_REGIONS: Final = 60
"""Bounds the work on a noisy background."""
IGNORED_LINES: Final = 6
"""Lines at the edge that scanners leave bright."""


def head_mask(values: Float32Array) -> BoolArray:
    """Return where the head and its margin lie, and whatever touches them: bool `(SIDE, SIDE)`.

    Args:
        values: float32 `(SIDE, SIDE)`, from `normalized`.
    """
    count = SIDE // BLOCK
    parts = values.reshape(count, BLOCK, count, BLOCK)
    bright = (parts > TISSUE).mean(axis=(1, 3), dtype=np.float32)
    head = _dilated(_filled(_tissue(parts.mean(axis=(1, 3)) > BLOCK_BRIGHT, bright)), times=MARGIN_BLOCKS)
    return np.repeat(np.repeat(head, BLOCK, axis=0), BLOCK, axis=1)


def outside_head(values: Float32Array, head: BoolArray) -> Float32Array:
    """Return the brightness outside the head, in units of bright tissue: float32 `(SIDE, SIDE)`, 0 inside the head."""
    result = np.where(head, np.float32(0), values)
    for edge in (np.s_[:IGNORED_LINES], np.s_[-IGNORED_LINES:]):
        result[edge] = 0.0
        result[:, edge] = 0.0
    return result


def _tissue(blocks: BoolArray, bright: Float32Array) -> BoolArray:
    """Return the largest connected region, and the other solid ones: lobes that lie apart in a low slice."""
    regions: list[tuple[int, BoolArray]] = []
    left = blocks.copy()
    while len(regions) < MAX_REGIONS and left.any():
        region = np.zeros_like(left)
        region.flat[int(np.flatnonzero(left)[0])] = True
        size = 0
        while size != (size := int(region.sum())):
            region = _dilated(region, times=2, within=left)
        left &= ~region
        regions.append((size, region))
    largest = max((size for size, _ in regions), default=0)
    tissue = np.zeros_like(blocks)
    for size, region in regions:
        solid = size >= SOLID_BLOCKS and float(bright[region].mean()) > SOLID_SHARE
        if size == largest or solid:
            tissue |= region
    return tissue


def _dilated(mask: BoolArray, *, times: int, within: BoolArray | None = None) -> BoolArray:
    for _ in range(times):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        wide = grown.copy()
        wide[:, 1:] |= grown[:, :-1]
        wide[:, :-1] |= grown[:, 1:]
        mask = wide if within is None else wide & within
    return mask


def _filled(mask: BoolArray) -> BoolArray:
    """Return the mask with every pixel that lies between mask pixels in its row and in its column."""
    between = []
    for axis in (0, 1):
        before = np.logical_or.accumulate(mask, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(mask, axis=axis), axis=axis), axis=axis)
        between.append(before & after)
    result: BoolArray = between[0] & between[1]
    return result
