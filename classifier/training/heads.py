"""Geometry of a head in a slice: where it is, where its brain is, and the axis that it is symmetric about."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from classifier.inference.preprocessing import UInt8Array

MASK_SIDE = 75
"""Side of a head mask in pixels; it is enlarged with soft edges."""

AXIS_SIDE = 64
AXIS_ANGLES = np.deg2rad(np.arange(-12.0, 12.1, 4.0))
AXIS_SHIFTS = np.arange(-6, 7)
LEAST_SYMMETRY = 0.82
"""Smallest correlation of a head with its mirror image at which the other half can stand in for one half."""

BoolArray = npt.NDArray[np.bool_]


def head_mask(image: UInt8Array) -> BoolArray:
    """Return the pixels of the head, its inside included.

    The head is what is brighter than a tenth of its bright tissue, with every gap between two such pixels of a row
    and of a column filled.

    Args:
        image: uint8 `(H, W)`.

    Returns:
        bool `(MASK_SIDE, MASK_SIDE)`.
    """
    small = np.asarray(Image.fromarray(image).resize((MASK_SIDE, MASK_SIDE), Image.Resampling.BOX))
    bright = small > max(6.0, 0.12 * float(np.percentile(small, 98)))
    return _between(bright, axis=0) & _between(bright, axis=1)


def erode(mask: BoolArray, *, pixels: float) -> BoolArray:
    """Return the pixels of a mask that lie at least about `pixels` inside of it, by a blur and a threshold."""
    if pixels <= 0:
        return mask
    padded = Image.fromarray(np.pad(mask, 1).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(pixels))
    return (np.asarray(padded) >= 250)[1:-1, 1:-1]


def enlarge(mask: BoolArray, *, size: int) -> npt.NDArray[np.float32]:
    """Return a mask as soft weights: float32 `(size, size)` in [0, 1]."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32) / np.float32(255.0)


def brain_mask(head: BoolArray, *, depth: float) -> BoolArray:
    """Return an approximate brain: the head, eroded by a share of its size.

    Args:
        head: From `head_mask`.
        depth: Share of the square root of the head's area, such as 0.06 to 0.14.
    """
    return erode(head, pixels=depth * float(np.sqrt(head.sum())))


@dataclass(frozen=True, slots=True)
class MirrorAxis:
    """A line about which a head is nearly symmetric, in fractions of the image.

    Attributes:
        angle: Of the line's normal against the horizontal, in radians.
        offset: Distance of the line from the image's center along the normal, as a fraction of the side.
        symmetry: Correlation of the head with its reflection, at most 1.
    """

    angle: float
    offset: float
    symmetry: float

    def matrix(self, size: int) -> tuple[float, ...]:
        """Return the reflection as an affine map of pixel coordinates, for `PIL.Image.transform`."""
        x, y = np.cos(self.angle), np.sin(self.angle)
        # A point p becomes p - 2 (n·p - d) n, with d the distance of the line from the corner along n.
        distance = (size / 2) * (x + y) + self.offset * size
        return tuple(
            float(v) for v in (1 - 2 * x * x, -2 * x * y, 2 * distance * x, -2 * x * y, 1 - 2 * y * y, 2 * distance * y)
        )

    def reflect(self, image: UInt8Array) -> UInt8Array:
        """Return the reflection of a square image, uint8 `(S, S)`; pixels from outside are black."""
        picture = Image.fromarray(image)
        return np.asarray(
            picture.transform(picture.size, Image.Transform.AFFINE, self.matrix(len(image)), Image.Resampling.BILINEAR)
        )


def mirror_axis(image: UInt8Array) -> MirrorAxis:
    """Find the axis of best symmetry among small turns and shifts of the vertical.

    Args:
        image: uint8 `(S, S)`.

    Returns:
        The axis; it is usable from a symmetry of `LEAST_SYMMETRY` on.
    """
    small = np.asarray(Image.fromarray(image).resize((AXIS_SIDE, AXIS_SIDE), Image.Resampling.BOX))
    head = np.flatnonzero(head_mask(image).any(axis=0))
    middle = ((int(head[0]) + int(head[-1]) + 1) / 2 / MASK_SIDE - 0.5) * AXIS_SIDE if len(head) else 0.0
    best = MirrorAxis(0.0, 0.0, -1.0)
    for angle in AXIS_ANGLES:
        for shift in AXIS_SHIFTS:
            axis = MirrorAxis(float(angle), float(middle + shift / 2) / AXIS_SIDE, 0.0)
            symmetry = _correlation(small, axis.reflect(small))
            if symmetry > best.symmetry:
                best = MirrorAxis(axis.angle, axis.offset, symmetry)
    return best


def _between(bright: BoolArray, *, axis: int) -> BoolArray:
    before = np.logical_or.accumulate(bright, axis=axis)
    after = np.flip(np.logical_or.accumulate(np.flip(bright, axis), axis=axis), axis)
    result: BoolArray = before & after
    return result


def _correlation(first: UInt8Array, second: UInt8Array) -> float:
    a = first.astype(np.float32).ravel()
    b = second.astype(np.float32).ravel()
    a -= a.mean()
    b -= b.mean()
    return float(a @ b) / max(1e-6, float(np.sqrt((a @ a) * (b @ b))))
