"""The one form in which every scan is kept: 8-bit grayscale pixels, nothing else."""

import hashlib
import io
import zlib
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.intake.limits import MAX_STORED_SIDE


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalImage:
    """Pixels of one scan, free of everything else its file carried.

    Attributes:
        pixels: uint8 array `(H, W)`, 0 (black) to 255, read-only; no side is over `MAX_STORED_SIDE`.
        source_format: What the upload was: "JPEG", "PNG" or "DICOM".
        png: `pixels` as an 8-bit grayscale PNG without any metadata.
        sha256: Hexadecimal hash of shape and pixels: the same picture has the same hash in every file.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    source_format: str
    png: bytes = field(repr=False)
    sha256: str

    @classmethod
    def from_pixels(cls, pixels: NDArray[np.uint8], *, source_format: str) -> Self:
        """Reduce to the stored size, encode and hash.

        Args:
            pixels: uint8 array `(H, W)`, any size.
            source_format: "JPEG", "PNG" or "DICOM".

        Raises:
            ValueError: If the array is not two-dimensional uint8.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise ValueError(f"Pixels must be uint8 (H, W). Received: {pixels.dtype} {pixels.shape}")
        stored = np.ascontiguousarray(_reduced(pixels))
        stored.flags.writeable = False
        return cls(pixels=stored, source_format=source_format, png=_png(stored), sha256=pixel_hash(stored))

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])


def pixel_hash(pixels: NDArray[np.uint8]) -> str:
    """Hash a picture by what it shows.

    Args:
        pixels: uint8 array `(H, W)`.

    Returns:
        64 hexadecimal digits: sha256 of "HEIGHTxWIDTH:" followed by the pixels row by row. The shape is in it
        because the same bytes in rows of another length are another picture.
    """
    height, width = pixels.shape
    digest = hashlib.sha256(f"{height}x{width}:".encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def fitted_size(width: int, height: int, *, side: int) -> tuple[int, int]:
    """Return `(width, height)` scaled down so that the longer one is at most `side` pixels, never below 1."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def thumbnail_png(image: CanonicalImage, *, side: int = 160) -> bytes:
    """Return a grayscale PNG whose longer side is at most `side` pixels; small images are not enlarged."""
    picture = Image.fromarray(image.pixels)
    # For a picture this small as good as Lanczos, in a third of the time.
    picture = picture.resize(fitted_size(image.width, image.height, side=side), Image.Resampling.HAMMING)
    return _encoded(picture)


def read_canonical(png: bytes) -> NDArray[np.uint8]:
    """Read back what `CanonicalImage.png` holds.

    Args:
        png: A canonical PNG: 8-bit grayscale.

    Returns:
        uint8 array `(H, W)`, 0 to 255.

    Raises:
        ValueError: If these are not the bytes of a canonical image.
    """
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            mode = picture.mode
            pixels = np.array(picture, dtype=np.uint8)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"Not a canonical image. Received: {len(png)} bytes, {png[:8]!r}…") from error
    if mode != "L":
        raise ValueError(f"A canonical image is 8-bit grayscale. Received: mode {mode!r}")
    return pixels


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape
    size = fitted_size(width, height, side=MAX_STORED_SIDE)
    if size == (width, height):
        return pixels
    # BOX is the mean over the area a new pixel covers: it neither rings nor skips thin structures.
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return _encoded(Image.fromarray(pixels))


def _encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # A quarter of the time of zlib's default for scans, whose black borders are most of what can be compressed, and
    # files no larger.
    picture.save(buffer, format="PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()
