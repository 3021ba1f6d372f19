"""Single-frame DICOM files to 8-bit grayscale pixels (DICOM PS3.3 C.7.6.3; PS3.5 section 8, annex A).

Only the elements that make the picture are read from the file. The parser passes over names, dates,
identifiers and private elements, so patient data never becomes a value in memory, let alone a stored one.
"""

import io
import itertools
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_partial
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from classifier.intake.grayscale import render, spread
from classifier.intake.limits import MAX_PARTS
from classifier.intake.presentation import presentation_curve
from classifier.intake.refusals import RefusedImage
from classifier.intake.structure import jpeg_essentials

_GRAYSCALE: Final = ("MONOCHROME1", "MONOCHROME2")
_KEYWORDS: Final = (
    *(
        "Rows",
        "Columns",
        "NumberOfFrames",
        "SamplesPerPixel",
        "PlanarConfiguration",
        "PhotometricInterpretation",
    ),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *(
        "PixelData",
        "FloatPixelData",
        "DoubleFloatPixelData",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
    ),
)
_TAGS: Final = [tag for keyword in _KEYWORDS if (tag := tag_for_keyword(keyword)) is not None]

_META_AT: Final = 132  # a preamble of 128 bytes and the mark "DICM"
# Start of codestream, then the size marker; ISO/IEC 15444-1 annex A.
_J2K_START: Final = b"\xff\x4f\xff\x51"
_J2K_END: Final = b"\xff\xd9"


def open_single_frame(data: bytes) -> Dataset:
    """Parse a DICOM file as far as its picture is concerned, without decoding pixels.

    Args:
        data: The whole file, with its preamble.

    Returns:
        A data set of one grayscale frame with `Rows` and `Columns`, and no element about the patient.

    Raises:
        RefusedImage: `dicom_no_pixels`, `dicom_multi_frame`, `dicom_colour`, `dicom_unsupported`, or
            `damaged` if the file cannot be parsed.
    """
    with _refusing_damage():
        _check_transfer_syntax(data)
        dataset = read_partial(io.BytesIO(data), stop_when=_refusing_too_many(), specific_tags=list(_TAGS))
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise RefusedImage("dicom_unsupported")
        if not dataset.get("PixelData"):
            raise RefusedImage("dicom_no_pixels")
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            raise RefusedImage("dicom_multi_frame", frames=frames)
        if dataset.SamplesPerPixel != 1 or dataset.PhotometricInterpretation not in _GRAYSCALE:
            raise RefusedImage("dicom_colour")
        dataset.Rows, dataset.Columns = int(dataset.Rows), int(dataset.Columns)
        return dataset


def decode(dataset: Dataset) -> NDArray[np.uint8]:
    """Decode the one frame and show it as the file says: rescale, then VOI table or window, then polarity.

    A file without a usable window is spread from its 0.1th to its 99.9th percentile.

    Args:
        dataset: What `open_single_frame` returned, found small enough.

    Returns:
        uint8 array `(H, W)`, 0 to 255; bright is white, for MONOCHROME1 too.

    Raises:
        RefusedImage: `truncated` if pixels are missing, `damaged` if they cannot be decoded, or
            `dicom_unsupported`.
    """
    with _refusing_damage():
        _check_pixel_data(dataset)
        stored = pixel_array(dataset)
        if stored.shape != (dataset.Rows, dataset.Columns) or not np.issubdtype(stored.dtype, np.integer):
            raise RefusedImage("damaged")
        padding = dataset.get("PixelPaddingValue")
        low, high = spread(stored, padding=padding if isinstance(padding, int) else None)
        pixels = render(stored, curve=presentation_curve(dataset, low=low, high=high))
        if pixels.min() == pixels.max() and high > low:
            # The window misses every value of the image; some exports write that of another series.
            pixels = render(stored, curve=presentation_curve(dataset, low=low, high=high, use_window=False))
        return pixels


@contextmanager
def _refusing_damage() -> Iterator[None]:
    """Turn whatever a parser or decoder raises on bytes that are not what they claim into one refusal."""
    try:
        yield
    except (RefusedImage, MemoryError):
        raise
    except NotImplementedError as error:
        raise RefusedImage("dicom_unsupported") from error
    except Exception as error:  # pydicom and its decoders raise errors of some twenty kinds on arbitrary bytes
        raise RefusedImage("damaged") from error


def _check_transfer_syntax(data: bytes) -> None:
    """Refuse what no decoder reads, and deflated files: those would be inflated without a bound."""
    stream = io.BytesIO(data)
    stream.seek(_META_AT)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    syntax = UID(meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian or not get_decoder(syntax).is_available:
        raise RefusedImage("dicom_unsupported")


def _refusing_too_many() -> Callable[[BaseTag, str | None, int], bool]:
    """Return a condition that never stops the parser, but refuses a file of more elements than any image has."""
    passed = itertools.count(1)

    def never(_tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if next(passed) > MAX_PARTS:
            raise RefusedImage("damaged")
        return False

    return never


def _check_pixel_data(dataset: Dataset) -> None:
    """See that the pixel data is whole and as large as the header says, before a decoder believes either."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated
        if len(dataset.PixelData) < (bits + 7) // 8:
            raise RefusedImage("truncated")
        return
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax in JPEG2000TransferSyntaxes:
        size = _j2k_size(frame)
    elif syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        found = jpeg_essentials(frame)
        size = found.width, found.height
    else:
        return
    if size != (dataset.Columns, dataset.Rows):
        raise RefusedImage("damaged")


def _j2k_size(frame: bytes) -> tuple[int, int]:
    """Return width and height of a complete JPEG 2000 codestream of one component."""
    if not frame.startswith(_J2K_START):
        raise RefusedImage("dicom_unsupported")
    if not frame.rstrip(b"\0").endswith(_J2K_END):
        raise RefusedImage("truncated")
    right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    if components != 1:
        raise RefusedImage("dicom_colour")
    return right - left, bottom - top
