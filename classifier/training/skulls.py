"""Remove the skull from an image, or put a stripped brain into the skull of another head."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.inference.preprocessing import UInt8Array
from classifier.training.counterfactuals import Generator, Slice
from classifier.training.heads import brain_mask, enlarge, head_mask
from classifier.training.masks import enlarge_mask, soften, to_pixels


def strip_skull(part: Slice, *, rng: Generator) -> Slice | None:
    """Remove the skull by an eroded head mask.

    Returns:
        The stripped image, or None if more than a fifth of the tumor would go with the skull.
    """
    brain = enlarge(brain_mask(head_mask(part.pixels), depth=rng.uniform(0.06, 0.14)), size=len(part.pixels))
    if brain.sum() < 0.03 * brain.size:
        return None
    outline = part.outline
    if outline is not None:
        kept = np.where(brain > 0.5, outline, np.uint8(0))
        if kept.sum() < 0.8 * outline.sum():
            return None
        outline = kept
    return Slice(to_pixels(part.pixels * brain), outline)


def add_skull(part: Slice, *, host: UInt8Array, rng: Generator) -> Slice | None:
    """Put a stripped brain into the skull of another head.

    Args:
        part: An image without a skull.
        host: An image with a skull and without a tumor, uint8 `(S, S)`.
        rng: Source of randomness.

    Returns:
        The composed image, or None if one of the masks is too small.
    """
    size = len(host)
    hole = brain_mask(head_mask(host), depth=rng.uniform(0.08, 0.13))
    own = head_mask(part.pixels)
    if hole.sum() < 300 or own.sum() < 200:
        return None
    scale = size / 75
    matrix = _box_map(_bounds(hole, margin=rng.uniform(-1.0, 1.0)), _bounds(own, margin=0.0), scale=scale)
    brain = _warp(part.pixels, matrix)
    inside = soften(_warp(enlarge_mask(own, size=size), matrix), pixels=1.5)
    hole_weight = enlarge(hole, size=size)
    host_pixels = host.astype(np.float32)
    tissue = host_pixels[hole_weight > 0.5]
    brain_pixels = brain.astype(np.float32)
    bright = float(np.percentile(brain_pixels[inside > 0.5], 95)) if (inside > 0.5).any() else 1.0
    gain = rng.uniform(0.7, 1.4) * float(np.percentile(tissue, 95)) / max(1.0, bright)
    fluid = float(np.percentile(tissue, 5)) * rng.uniform(0.2, 1.0)
    emptied = host_pixels + hole_weight * (fluid - host_pixels)
    composed = emptied + inside * (brain_pixels * np.clip(gain, 0.4, 2.5) - emptied)
    outline = None if part.outline is None else _warp(part.outline, matrix)
    return Slice(to_pixels(composed), outline)


def _bounds(mask: npt.NDArray[np.bool_], *, margin: float) -> tuple[float, float, float, float]:
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return xs[0] - margin, ys[0] - margin, xs[-1] + 1 + margin, ys[-1] + 1 + margin


def _box_map(
    target: tuple[float, float, float, float], source: tuple[float, float, float, float], *, scale: float
) -> tuple[float, ...]:
    """Return the affine map from the pixels of one box to those of another, for `PIL.Image.transform`."""
    a = (source[2] - source[0]) / (target[2] - target[0])
    e = (source[3] - source[1]) / (target[3] - target[1])
    return (a, 0.0, (source[0] - a * target[0]) * scale, 0.0, e, (source[1] - e * target[1]) * scale)


def _warp(image: UInt8Array, matrix: tuple[float, ...]) -> UInt8Array:
    picture = Image.fromarray(image)
    return np.asarray(picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
