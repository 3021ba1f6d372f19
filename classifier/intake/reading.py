"""The way of an upload: size, real type, pixel count, decoding, canonical form. Each step may refuse it."""

import io
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from classifier.intake import dicom, raster
from classifier.intake.canonical import CanonicalImage
from classifier.intake.limits import MAX_ASPECT, MAX_BYTES, MAX_PIXELS, MIN_SIDE
from classifier.intake.refusals import RefusedImage
from classifier.intake.sniffing import SourceFormat, describe, source_format

_READ_AT_ONCE: Final = 1 << 20


def read_image(stream: BinaryIO | bytes) -> CanonicalImage:
    """Turn an uploaded file into canonical pixels.

    Args:
        stream: The file's bytes, or a binary stream at its start, of which at most `MAX_BYTES` + 1 are read.

    Returns:
        The canonical image. Nothing of the original file but its pixels is in it.

    Raises:
        RefusedImage: If the file cannot become a scan, with a sentence for the person who uploaded it.
    """
    data = _read_limited(io.BytesIO(stream) if isinstance(stream, bytes) else stream)
    kind = source_format(data)
    if kind is None:
        raise RefusedImage("wrong_type", kind=describe(data))
    return CanonicalImage.from_pixels(_decode(data, kind=kind), source_format=kind)


def _decode(data: bytes, *, kind: SourceFormat) -> NDArray[np.uint8]:
    if kind == "DICOM":
        dataset = dicom.open_single_frame(data)
        _check_size(width=dataset.Columns, height=dataset.Rows)
        return dicom.decode(dataset)
    file = raster.essentials(data, source_format=kind)
    _check_size(width=file.width, height=file.height)
    return raster.decode(file, source_format=kind)


def _read_limited(stream: BinaryIO) -> bytes:
    """Read a stream that may deliver fewer bytes than asked for, and stop as soon as it is over the limit."""
    buffer = bytearray()
    while part := stream.read(min(_READ_AT_ONCE, MAX_BYTES + 1 - len(buffer))):
        buffer += part
        if len(buffer) > MAX_BYTES:
            raise RefusedImage("too_large")
    if not buffer:
        raise RefusedImage("empty")
    return bytes(buffer)


def _check_size(*, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise RefusedImage("damaged")
    if width * height > MAX_PIXELS:
        raise RefusedImage("too_many_pixels")
    if min(width, height) < MIN_SIDE:
        raise RefusedImage("too_small", width=width, height=height)
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RefusedImage("too_thin", width=width, height=height)
