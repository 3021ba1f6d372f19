"""JPEG and PNG files to 8-bit grayscale pixels."""

import io
import struct
import zlib
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from classifier.intake.canonical import fitted_size
from classifier.intake.grayscale import from_16_bit
from classifier.intake.limits import MAX_STORED_SIDE
from classifier.intake.refusals import RefusedImage
from classifier.intake.structure import Essentials, jpeg_essentials, png_essentials, png_has_all_rows

_ORIENTATION_TAG: Final = 0x0112
_FILLER: Final = b"\x5a\xa5\x3c\xc3" * 16
# Pillow's exceptions for bytes that are not an image have no common base.
_UNREADABLE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)


def essentials(data: bytes, *, source_format: Literal["JPEG", "PNG"]) -> Essentials:
    """Check a file's structure and read its declared size without decoding; raises what `structure` does."""
    return jpeg_essentials(data) if source_format == "JPEG" else png_essentials(data)


def decode(file: Essentials, *, source_format: Literal["JPEG", "PNG"]) -> NDArray[np.uint8]:
    """Decode an image that was found small enough, turn it upright, and make it grayscale.

    Colors become luma (ITU-R BT.601), transparent parts black. JPEGs far beyond the stored size are decoded
    at a half, a quarter or an eighth, which libjpeg does by averaging.

    Args:
        file: What `essentials` returned for the file.
        source_format: "JPEG" or "PNG".

    Returns:
        uint8 array `(H, W)`, 0 to 255.

    Raises:
        RefusedImage: `damaged` if the pixels cannot be decoded, `truncated` if some are missing.
    """
    try:
        if source_format == "PNG" and not png_has_all_rows(file.data):
            raise RefusedImage("truncated")
        pixels = _decoded(file, source_format=source_format)
        if source_format == "JPEG" and not np.array_equal(pixels, _decoded(_with_filler(file), source_format="JPEG")):
            raise RefusedImage("truncated")
    except _UNREADABLE as error:
        raise RefusedImage("truncated" if "truncated" in str(error) else "damaged") from error
    return pixels


def _decoded(file: Essentials, *, source_format: Literal["JPEG", "PNG"]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file.data), formats=(source_format,)) as picture:
        if picture.size != (file.width, file.height):
            raise RefusedImage("damaged")
        picture.draft("L", fitted_size(file.width, file.height, side=MAX_STORED_SIDE))
        picture.load()
        return _upright(_grey(picture), orientation=_orientation(picture))


def _with_filler(file: Essentials) -> Essentials:
    """Put bytes before the end marker of a JPEG, to find out whether its last scan is whole.

    A decoder stops reading after the last block and passes over the filler. In a scan that was cut and closed, as some
    programs do with an interrupted download, the filler is decoded in place of what is missing, and the pixels differ
    from the gray that a decoder invents there.
    """
    return replace(file, data=file.data[:-2] + _FILLER + file.data[-2:])


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):
        return from_16_bit(np.asarray(picture).astype(np.uint16))
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if picture.mode in ("LA", "PA", "RGBA"):
        # Multiplying by opacity is what compositing on black comes to.
        return np.asarray(ImageChops.multiply(picture.convert("L"), picture.getchannel("A")))
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    return np.asarray(picture.convert("L"))


def _orientation(picture: Image.Image) -> int:
    """Return the Exif orientation, 1 (upright) to 8; 1 if there is none or it cannot be read."""
    try:
        value = picture.getexif().get(_ORIENTATION_TAG, 1)
    except _UNREADABLE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: NDArray[np.uint8], *, orientation: int) -> NDArray[np.uint8]:
    """Undo an Exif orientation (tag 0x0112): 2 to 4 are flips and a half turn, 5 to 8 lie on their side."""
    if orientation >= 5:
        pixels = pixels.T
    # After the transposition of 5 to 8 only flips remain: of columns for 2, 3, 6, 7; of rows for 3, 4, 7, 8.
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1, :]
    return np.ascontiguousarray(pixels)
