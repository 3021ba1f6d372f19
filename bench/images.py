"""Real sample images made distinct, so that no upload is a duplicate of another."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from devtools.client import SAMPLES

# A block of a JPEG file; a mark that fills blocks changes nothing else.
BLOCK = 8
LEVELS = 32
DISTINCT = len(SAMPLES) * LEVELS**2


def distinct_jpeg(number: int) -> bytes:
    """Return one of the samples with `number` written into two corner blocks, as JPEG.

    Args:
        number: 0 to `DISTINCT` - 1; two numbers give different pixels.

    Raises:
        ValueError: if the number is out of range.
    """
    if not 0 <= number < DISTINCT:
        raise ValueError(f"There are {DISTINCT} distinct images. Received: {number}")
    sample, mark = number % len(SAMPLES), number // len(SAMPLES)
    pixels = _pixels(sample).copy()
    for place, level in enumerate(divmod(mark, LEVELS)):
        pixels[:BLOCK, place * BLOCK : (place + 1) * BLOCK] = level * BLOCK
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@cache
def _pixels(sample: int) -> NDArray[np.uint8]:
    with Image.open(SAMPLES[sample]) as picture:
        return np.asarray(picture.convert("L"))
