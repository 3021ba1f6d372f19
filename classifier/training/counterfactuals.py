"""Images that differ from real ones in one thing: the tumor, or a seam without a tumor. `skulls` has the skull.

Whatever is peculiar to a source of images must occur with and without a tumor; else a network learns the source.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from classifier.inference.preprocessing import Float32Array, UInt8Array
from classifier.training.heads import LEAST_SYMMETRY, MirrorAxis, brain_mask, enlarge, head_mask
from classifier.training.masks import blur, radius_of, soften, to_pixels, widen

Generator = np.random.Generator

MOST_OVERLAP = 0.02
"""Largest share of a widened tumor that may lie in its own reflection; a tumor on the midline has no other half."""

LEAST_INSIDE = 0.85
"""Smallest share of the replacement that must come from inside the head."""

LEAST_CHANGE = 0.07
"""Smallest mean change of an inserted tumor's pixels, as a share of the spread of the tissue."""

RING = 0.35
"""Width of the ring that levels are matched in, as a share of the tumor's radius."""


@dataclass(frozen=True, slots=True)
class Slice:
    """An image with what is known of its tumor.

    Attributes:
        pixels: uint8 `(S, S)`.
        outline: 255 inside the tumor, uint8 `(S, S)`; None if there is no tumor or its place is unknown.
    """

    pixels: UInt8Array
    outline: UInt8Array | None = None


def replace_by_mirrored(
    image: UInt8Array, mask: UInt8Array, *, axis: MirrorAxis, rng: Generator, avoid: UInt8Array | None = None
) -> UInt8Array | None:
    """Replace a region by the tissue of the other half of the head.

    The region is widened by 8 to 35% of its radius. The mirrored tissue is matched to the ring around the region in
    mean and spread, and joined by a soft seam.

    Args:
        image: uint8 `(S, S)`.
        mask: 255 in the region, uint8 `(S, S)`.
        axis: The head's axis of symmetry.
        rng: Source of randomness.
        avoid: Mask of what neither the region nor its source may touch; by default the region itself, which its
            source must not touch.

    Returns:
        uint8 `(S, S)`, or None if the other half cannot stand in: the head is not symmetric enough, the region lies
        on the midline, or its reflection lies outside of the head.
    """
    radius = radius_of(mask)
    if axis.symmetry < LEAST_SYMMETRY or radius < 1:
        return None
    wide = widen(mask, pixels=max(1.0, rng.uniform(0.08, 0.35) * radius))
    inside = wide > 127
    forbidden = inside if avoid is None else avoid > 127
    source = axis.reflect(wide) > 127
    if (source & forbidden).sum() > MOST_OVERLAP * inside.sum() or (avoid is not None and (inside & forbidden).any()):
        return None
    head = enlarge(head_mask(image), size=len(image)) > 0.5
    if head[source].mean() < LEAST_INSIDE if source.any() else True:
        return None
    mirrored = axis.reflect(image).astype(np.float32)
    ring = (widen(wide, pixels=max(2.0, RING * radius)) > 127) & ~inside & head
    if ring.sum() < 16:
        return None
    own, other = image[ring].astype(np.float32), mirrored[ring]
    gain = np.clip(own.std() / max(1.0, float(other.std())), 0.7, 1.4)
    matched = (mirrored - other.mean()) * gain + own.mean()
    seam = soften(wide, pixels=rng.uniform(1.0, 3.0))
    return to_pixels(image + seam * (matched - image))


def replace_elsewhere(part: Slice, *, shape: UInt8Array, axis: MirrorAxis, rng: Generator) -> UInt8Array | None:
    """Replace a region without a tumor, so that a seam says nothing about the label.

    Args:
        part: The image; its tumor stays.
        shape: Outline of some tumor, uint8 `(S, S)`; it is moved to a random place in the head.
        axis: The head's axis of symmetry.
        rng: Source of randomness.

    Returns:
        uint8 `(S, S)`, or None if no place was found.
    """
    size = len(part.pixels)
    places = np.argwhere(brain_mask(head_mask(part.pixels), depth=0.1))
    ys, xs = np.nonzero(shape > 127)
    if not len(places) or not len(ys):
        return None
    y, x = places[rng.integers(len(places))] * (size / 75)
    moved = np.roll(shape, (int(y - ys.mean()), int(x - xs.mean())), axis=(0, 1))
    avoid = np.zeros_like(shape) if part.outline is None else widen(part.outline, pixels=4.0)
    return replace_by_mirrored(part.pixels, moved, axis=axis, rng=rng, avoid=avoid)


def insert_tumor(host: UInt8Array, donor: Slice, *, rng: Generator) -> Slice | None:
    """Put a tumor into an image without one.

    The donor's tumor is cut out by its outline, resized, turned and given a new contrast to its surroundings:
    sometimes its own, sometimes a random one, brighter or darker. Half of them get a soft halo, as of edema. A third
    become infiltrating lesions: irregular, of low contrast, with tissue detail washed out.

    Args:
        host: uint8 `(S, S)`, without a tumor.
        donor: An image with an outline.
        rng: Source of randomness.

    Returns:
        The host with the tumor and its outline, or None if no place was found.
    """
    if donor.outline is None or radius_of(donor.outline) < 2:
        return None
    size = len(host)
    head = head_mask(host)
    places = np.argwhere(brain_mask(head, depth=rng.uniform(0.07, 0.14)))
    if len(places) < 20:
        return None
    cut = _cut(donor, head_side=float(np.sqrt(head.sum())) * size / 75, rng=rng)
    if cut is None:
        return None
    texture, shape, contrast = cut
    y, x = (places[rng.integers(len(places))] + rng.random(2)) * (size / 75)
    mask, detail = _paste(shape, y=y, x=x, size=size), _paste(texture, y=y, x=x, size=size)
    inside_head = enlarge(head, size=size)
    mask *= inside_head
    if mask.sum() < 12:
        return None
    base = host.astype(np.float32)
    tissue = base[inside_head > 0.5]
    spread = max(20.0, float(np.percentile(tissue, 95) - np.percentile(tissue, 10)))
    local = float((base * mask).sum() / mask.sum())
    result = base
    sign = 1.0 if rng.random() < 0.5 else -1.0
    radius = float(np.sqrt(mask.sum() / np.pi))
    if rng.random() < 0.5:  # Edema, or what remains of it in this sequence.
        halo = np.clip(2.0 * blur(mask, pixels=radius * rng.uniform(0.4, 0.9)), 0.0, 1.0) * inside_head
        result = result + halo * spread * sign * rng.uniform(0.0, 0.25)
    if rng.random() < 0.35:
        soft = np.clip(1.3 * blur(mask, pixels=radius * rng.uniform(0.15, 0.5)), 0.0, 1.0)
        soft *= inside_head * _clouds(size, rng=rng)
        smooth = ImageFilter.GaussianBlur(rng.uniform(2.0, 6.0))
        washed = np.asarray(Image.fromarray(to_pixels(result)).filter(smooth), np.float32)
        result = result + soft * rng.uniform(0.3, 0.9) * (washed - result)
        result = result + soft * spread * sign * rng.uniform(0.12, 0.4)
        result = result + soft * detail * spread * rng.uniform(0.0, 0.06)
    else:
        own = rng.random() < 0.4
        step = contrast * rng.uniform(0.7, 1.3) if own else sign * rng.uniform(0.12, 0.55)
        target = local + spread * step + detail * spread * rng.uniform(0.04, 0.14)
        weight = mask * rng.uniform(0.75, 1.0)
        result = result + weight * (target - result)
    inside = mask > 0.4
    # A tumor that cannot be seen would teach to invent one.
    if not inside.any() or np.abs(result - base)[inside].mean() < LEAST_CHANGE * spread:
        return None
    return Slice(to_pixels(result), np.where(inside, np.uint8(255), np.uint8(0)))


def _cut(donor: Slice, *, head_side: float, rng: Generator) -> tuple[Float32Array, Float32Array, float] | None:
    """Cut a tumor out: its texture in standard deviations, its shape in [0, 1], and its contrast to its ring."""
    assert donor.outline is not None
    inside = donor.outline > 127
    ys, xs = np.nonzero(inside)
    top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    values = donor.pixels[inside].astype(np.float32)
    radius = radius_of(donor.outline)
    ring = (widen(donor.outline, pixels=max(3.0, 0.5 * radius)) > 127) & ~inside & (donor.pixels > 12)
    own_head = donor.pixels[donor.pixels > 12].astype(np.float32)
    if ring.sum() < 10 or own_head.size < 100:
        return None
    spread = max(20.0, float(np.percentile(own_head, 95) - np.percentile(own_head, 10)))
    contrast = float(values.mean() - donor.pixels[ring].mean()) / spread
    patch = donor.pixels[top:bottom, left:right].astype(np.float32)
    texture = np.clip((patch - values.mean()) / max(4.0, float(values.std())), -3.0, 3.0)
    # Between a twelfth and a third of the head across.
    wanted = rng.uniform(0.08, 0.32) * head_side
    scale = wanted / max(1.0, 2 * radius)
    stretch = rng.uniform(0.8, 1.25)
    width = max(3, int((right - left) * scale * stretch))
    height = max(3, int((bottom - top) * scale / stretch))
    angle = float(rng.uniform(0.0, 360.0))
    parts = []
    for array in (texture, inside[top:bottom, left:right].astype(np.float32)):
        picture = Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR)
        parts.append(np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR, expand=True), np.float32))
    return np.pad(parts[0], 4), blur(np.pad(parts[1], 4), pixels=rng.uniform(0.6, 2.0)), contrast


def _paste(patch: Float32Array, *, y: float, x: float, size: int) -> Float32Array:
    """Place a patch on an empty canvas, centered at a point; crop the parts outside."""
    canvas = Image.new("F", (size, size))
    height, width = patch.shape
    canvas.paste(Image.fromarray(patch), (round(x - width / 2), round(y - height / 2)))
    return np.array(canvas, np.float32)


def _clouds(size: int, *, rng: Generator) -> Float32Array:
    """Return smooth noise in [0.3, 1] for irregular edges: float32 `(size, size)`."""
    coarse = Image.fromarray(rng.uniform(0.0, 1.4, (12, 12)).astype(np.float32))
    return np.clip(np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32), 0.3, 1.0)
