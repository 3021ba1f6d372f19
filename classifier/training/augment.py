"""Augmentation suited to MR slices: the changes that another scanner, sequence, crop or export makes.

Geometry is small (heads lie upright), intensity is changed strongly: sequences differ in contrast, and a
network that leans on contrast learns the source of an image instead of looking for a tumor.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from classifier.inference.preprocessing import Float32Array, UInt8Array

Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strength of the augmentation; all probabilities in [0, 1].

    Attributes:
        mirror: Probability of left-right mirroring; 0 where it would recreate near-duplicates of test images.
        rotation: Largest rotation in degrees.
        scale: Largest relative change of size, and independently of aspect ratio.
        shift: Largest shift as a fraction of the side.
        quarter: Probability of a turn by 90, 180 or 270 degrees.
        crop: Probability of cutting up to a fifth off one or two sides, as defacing and careless export do.
        contrast: Probability of a random intensity curve.
        inversion: Share of those curves that need not rise.
        bias: Probability of a smooth bias field, as of a surface coil.
        equalize: Probability of histogram equalization, blended in at random.
        resolution: Probability of a loss of resolution.
        blur: Probability of Gaussian blur.
        noise: Probability of Rician-like noise.
        jpeg: Probability of JPEG compression.
    """

    mirror: float = 0.5
    rotation: float = 15.0
    scale: float = 0.15
    shift: float = 0.06
    quarter: float = 0.04
    crop: float = 0.1
    contrast: float = 0.55
    inversion: float = 0.2
    bias: float = 0.3
    equalize: float = 0.15
    resolution: float = 0.3
    blur: float = 0.15
    noise: float = 0.25
    jpeg: float = 0.25

    def __call__(self, image: UInt8Array, *, size: int, rng: Generator) -> tuple[UInt8Array, "Warp"]:
        """Augments one image.

        Args:
            image: uint8 `(H, W)`.
            size: Side of the result in pixels.
            rng: Source of all randomness, so that a seed repeats a run.

        Returns:
            uint8 `(size, size)`, and the geometry that was applied, to move a mask along.
        """
        warp = self.draw_warp(image.shape[1], image.shape[0], size=size, rng=rng)
        picture = warp.apply(Image.fromarray(image), method=Image.Resampling.BICUBIC)
        if rng.random() < self.resolution:
            picture = lose_resolution(picture, side=int(rng.uniform(0.3, 0.9) * size))
        if rng.random() < self.blur:
            picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
        if rng.random() < self.contrast:
            curve = contrast_curve(np.asarray(picture), rng=rng, monotone=rng.random() >= self.inversion)
            picture = picture.point(curve.tolist())
        pixels = self._intensity(np.asarray(picture, np.float32) / 255.0, rng=rng)
        result: UInt8Array = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
        if rng.random() < self.jpeg:
            result = compress(result, quality=int(rng.integers(30, 96)))
        return result, warp

    def draw_warp(self, width: int, height: int, *, size: int, rng: Generator) -> "Warp":
        """Draw a rotation, scale, shift and mirroring for an image of `width` by `height` pixels."""
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        if rng.random() < self.quarter:
            angle += np.pi / 2 * rng.integers(1, 4)
        zoom = 1.0 + rng.uniform(-self.scale, self.scale)
        aspect = 1.0 + rng.uniform(-self.scale, self.scale) / 2
        flip = -1.0 if rng.random() < self.mirror else 1.0
        shift_x, shift_y = rng.uniform(-self.shift, self.shift, size=2)
        if rng.random() < self.crop:
            # A larger, off-center view: sides fall outside of it.
            zoom *= rng.uniform(1.1, 1.4)
            shift_x, shift_y = rng.uniform(-0.15, 0.15, size=2)
        # The matrix maps output pixels to input pixels, both measured from their centers.
        step_x, step_y = width / size / zoom * aspect * flip, height / size / zoom / aspect
        a, b = np.cos(angle) * step_x, -np.sin(angle) * step_y
        d, e = np.sin(angle) * step_x, np.cos(angle) * step_y
        center = size / 2  # Pillow measures from the corner, so that pixel centers lie at one half.
        c = width / 2 + shift_x * width - a * center - b * center
        f = height / 2 + shift_y * height - d * center - e * center
        return Warp(size, tuple(float(value) for value in (a, b, c, d, e, f)))

    def _intensity(self, pixels: Float32Array, *, rng: Generator) -> Float32Array:
        if rng.random() < self.equalize:
            share = rng.uniform(0.3, 1.0)
            pixels = (1 - share) * pixels + share * equalize(pixels)
        if rng.random() < self.bias:
            pixels = pixels * bias_field(pixels.shape[0], rng=rng)
        if rng.random() < self.noise:
            spread = rng.uniform(0.01, 0.045)
            real = pixels + rng.normal(0.0, spread, pixels.shape).astype(np.float32)
            pixels = np.hypot(real, rng.normal(0.0, spread, pixels.shape).astype(np.float32))
        return pixels


AUGMENTATIONS = {
    "full": Augmentation(),
    "mild": Augmentation(
        rotation=8.0,
        scale=0.08,
        shift=0.04,
        quarter=0.0,
        crop=0.0,
        contrast=0.15,
        inversion=0.0,
        bias=0.1,
        equalize=0.0,
        resolution=0.1,
        blur=0.05,
        noise=0.1,
        jpeg=0.1,
    ),
}
"""By name. `full` makes scanners and sequences hard to tell apart. `mild` stays close to the images, as in most
published work; it serves the protocol `official` alone, where training and test images come from the same scanners."""


@dataclass(frozen=True, slots=True)
class Warp:
    """An affine map from the pixels of a square of side `size` to those of the source image."""

    size: int
    matrix: tuple[float, ...]

    def apply(self, picture: Image.Image, *, method: Image.Resampling) -> Image.Image:
        """Return the warped picture; pixels from outside of the source are black."""
        return picture.transform((self.size, self.size), Image.Transform.AFFINE, self.matrix, method)


def lose_resolution(picture: Image.Image, *, side: int) -> Image.Image:
    """Shrink and enlarge again, to the detail that an upload of `side` pixels would have."""
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def compress(pixels: UInt8Array, *, quality: int) -> UInt8Array:
    """JPEG compression at a quality of 1–95, decoded again: uint8 `(H, W)`."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer, formats=("JPEG",)), dtype=np.uint8)


CURVE_QUANTILES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
"""Quantiles of the head at which a curve's values are drawn: gray and white matter lie on different ones."""

LEAST_STEP = 0.07
"""Smallest difference between the values of neighboring quantiles; without it a tumor could vanish."""

FOREGROUND = 12
"""Gray values up to this one are background and stay dark."""


def contrast_curve(pixels: UInt8Array, *, rng: Generator, monotone: bool) -> UInt8Array:
    """Draw an intensity curve that another MR sequence could have had.

    The head is stretched to the full range first, so that a dark image keeps its detail.

    Args:
        pixels: uint8 `(H, W)`.
        rng: Source of randomness.
        monotone: Whether the curve must rise; else neighboring quantiles only differ.

    Returns:
        A table of the new gray value of each gray value, uint8 `(256,)`.
    """
    head = pixels[pixels > FOREGROUND]
    if head.size < 64:
        return np.arange(256, dtype=np.uint8)
    knots = np.quantile(head[:: max(1, head.size // 4000)], CURVE_QUANTILES)
    knots += np.arange(len(knots)) * 1e-3  # Equal quantiles would leave the curve undefined.
    if monotone:
        steps = LEAST_STEP + rng.gamma(1.0, size=len(knots) - 1)
        values = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
        low, high = rng.uniform(0.02, 0.2), rng.uniform(0.7, 1.0)
    else:
        values = rng.uniform(0.0, 1.0, len(knots))
        for index in range(1, len(values)):
            if abs(values[index] - values[index - 1]) < 2 * LEAST_STEP:
                side = 1.0 if values[index - 1] < 0.5 else -1.0
                values[index] = values[index - 1] + side * rng.uniform(2 * LEAST_STEP, 0.4)
        low, high = rng.uniform(0.08, 0.2), rng.uniform(0.7, 1.0)
    values = low + (high - low) * np.clip(values, 0.0, 1.0)
    gray = np.arange(256, dtype=np.float64)
    stretched = np.clip((gray - knots[0]) / max(1.0, knots[-1] - knots[0]), 0.0, 1.0)
    share = rng.uniform(0.5, 1.0)
    curve = (1 - share) * stretched + share * np.interp(gray, knots, values)
    # From black to the darkest tissue the curve rises from zero, so that the background stays black.
    below = gray < max(knots[0], FOREGROUND)
    first = curve[int(min(255, max(knots[0], FOREGROUND)))]
    curve = np.where(below, first * (gray / max(1.0, knots[0], FOREGROUND)) ** 2, curve)
    table: UInt8Array = np.rint(np.clip(curve, 0.0, 1.0) * 255).astype(np.uint8)
    return table


def bias_field(side: int, *, rng: Generator) -> Float32Array:
    """Return a smooth multiplicative field between about 0.6 and 1.4: float32 `(side, side)`."""
    coarse = rng.uniform(0.6, 1.4, size=(3, 3)).astype(np.float32)
    field = Image.fromarray(coarse, mode="F").resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(field, np.float32)


def equalize(pixels: Float32Array) -> Float32Array:
    """Histogram equalization of the foreground (the dark background would otherwise swallow the range).

    Args:
        pixels: float32 array in [0, 1].

    Returns:
        float32 array of the same shape in [0, 1].
    """
    foreground = pixels[pixels > 0.05]
    if foreground.size < 16:
        return pixels
    counts, edges = np.histogram(foreground, bins=64, range=(0.0, 1.0))
    ranks = np.concatenate([[0.0], np.cumsum(counts) / foreground.size])
    mapped = np.interp(pixels, edges, ranks).astype(np.float32)
    return np.where(pixels > 0.05, mapped, pixels)
