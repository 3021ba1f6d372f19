"""Masks of tumors and heads: size, widening, soft edges."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from classifier.inference.preprocessing import Float32Array, UInt8Array
from classifier.training.heads import enlarge


def radius_of(mask: UInt8Array) -> float:
    """Return the radius in pixels of the disk that is as large as a mask."""
    return float(np.sqrt((mask > 127).sum() / np.pi))


def widen(mask: UInt8Array, *, pixels: float) -> UInt8Array:
    """Return a mask widened by about `pixels`, by a blur and a threshold."""
    if pixels < 0.5:
        return mask
    blurred = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(pixels))
    return np.where(np.asarray(blurred) > 40, np.uint8(255), np.uint8(0))


def soften(mask: UInt8Array, *, pixels: float) -> Float32Array:
    """Return a mask as weights with a soft seam: float32 `(S, S)` in [0, 1]."""
    return np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(pixels)), np.float32) / np.float32(255.0)


def enlarge_mask(mask: npt.NDArray[np.bool_], *, size: int) -> UInt8Array:
    """Return a small mask at full size: 0 and 255, uint8 `(size, size)`."""
    return np.where(enlarge(mask, size=size) > 0.5, np.uint8(255), np.uint8(0))


def blur(weights: Float32Array, *, pixels: float) -> Float32Array:
    """Blur weights in [0, 1]; they are rounded to 1/255, since Pillow blurs 8-bit pictures only."""
    return soften(to_pixels(np.clip(weights, 0.0, 1.0) * np.float32(255.0)), pixels=pixels)


def to_pixels(values: Float32Array) -> UInt8Array:
    """Round values to uint8, clipped to 0–255."""
    result: UInt8Array = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return result
