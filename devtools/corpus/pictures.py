"""The picture in every good file, and plain image files of it."""

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 120, 150
SECRET = b"DOE^JANE 1957-03-11 Ward 7"
"""Text that no canonical image may contain."""


@functools.cache
def head_slice() -> NDArray[np.uint8]:
    """Return a uint8 array (150, 120) that resembles an axial slice: black air, bright rim, textured inside, one
    bright spot on the right so that every turn and flip shows. It uses the whole range from 0 to 255.
    """
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    radius = np.hypot((x - WIDTH / 2) / 50, (y - HEIGHT / 2) / 66)
    picture = np.where(radius < 1, 90 + 40 * np.sin(x / 9) * np.cos(y / 11), 0.0)
    picture = np.where((radius > 0.9) & (radius < 1), 200, picture)
    spot = np.hypot(x - 85, y - 55)
    picture = np.where(spot < 9, 255, picture)
    pixels = np.rint(picture).astype(np.uint8)
    pixels.flags.writeable = False
    return pixels


def picture(mode: str = "L") -> Image.Image:
    """Return the slice as a Pillow image in a mode that can be converted to from grayscale."""
    return Image.fromarray(head_slice()).convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file of a Pillow format."""
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def jpeg(mode: str = "L", **options: Any) -> bytes:
    return encoded(picture(mode), "JPEG", **{"quality": 92, **options})


def png(mode: str = "L", **options: Any) -> bytes:
    return encoded(picture(mode), "PNG", **options)


def png_16_bit(*, brightest: int) -> bytes:
    """Return a 16-bit grayscale PNG whose white is stored as `brightest`."""
    values = head_slice().astype(np.uint32) * brightest // 255
    return encoded(Image.fromarray(values.astype(np.uint16)), "PNG")


def rgba_with_hidden_part() -> bytes:
    """Return an RGBA PNG that is white, but transparent, wherever the slice is black."""
    slice_ = head_slice()
    color = np.where(slice_ == 0, 255, slice_).astype(np.uint8)
    opacity = np.where(slice_ == 0, 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(np.dstack([color, color, color, opacity])), "PNG")


def palette_with_hidden_part() -> bytes:
    """Return a palette PNG in which the entry of black is white, but transparent."""
    image = Image.fromarray(head_slice()).convert("P")
    image.putdata([int(value) for value in head_slice().reshape(-1)])
    image.putpalette([255, 255, 255] + [value for value in range(1, 256) for _ in range(3)])
    return encoded(image, "PNG", transparency=0)


def turned_jpeg(orientation: int) -> bytes:
    """Return a JPEG stored turned, with the Exif orientation that sets it upright, a name, and a preview of its own."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = picture() if undo is None else picture().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    return encoded(image, "JPEG", quality=95, exif=exif)
