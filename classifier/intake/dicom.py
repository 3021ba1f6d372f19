"""Single-frame DICOM files to 8-bit grayscale pixels (DICOM PS3.3 C.7.6.3; PS3.5 section 8, annex A).

Only the elements that make the picture are cut out of the file, and only those reach pydicom. Names, dates,
identifiers and private elements are skipped, so patient data never becomes a value, let alone a stored one.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from classifier.intake.elements import Element, ElementReader
from classifier.intake.grayscale import render, spread
from classifier.intake.limits import MAX_BYTES, MAX_CODED_PIXELS, MAX_ELEMENT_BYTES, MAX_TABLE_BYTES
from classifier.intake.presentation import presentation_curve
from classifier.intake.refusals import RefusedImage
from classifier.intake.structure import jpeg_essentials

_GRAYSCALE: Final = ("MONOCHROME1", "MONOCHROME2")
_TAGS: Final = frozenset(
    tag_for_keyword(keyword)
    for keyword in (
        *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration"),
        *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
        *("PixelPaddingValue", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"),
        *("VOILUTFunction", "PixelData"),
    )
)
_FLOAT_TAGS: Final = (tag_for_keyword("FloatPixelData"), tag_for_keyword("DoubleFloatPixelData"))
_TABLE_TAGS: Final = (tag_for_keyword("ModalityLUTSequence"), tag_for_keyword("VOILUTSequence"))
_LUT_TAGS: Final = (tag_for_keyword("LUTDescriptor"), tag_for_keyword("LUTData"))
_FRAMES_TAG: Final = tag_for_keyword("NumberOfFrames")
_PIXELS_TAG: Final = tag_for_keyword("PixelData")
_LUT_DATA_TAG: Final = tag_for_keyword("LUTData")
_SYNTAX_TAG: Final = tag_for_keyword("TransferSyntaxUID")

_META_GROUP: Final = 0x0002
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
        dataset = _picture_elements(data)
        if not dataset.get("PixelData"):
            raise RefusedImage("dicom_no_pixels")
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
        RefusedImage: `truncated` if pixels are missing, `damaged` if they cannot be decoded, `too_demanding` if a
            compressed frame is too large, or `dicom_unsupported`.
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
    """Turn any exception of a parser or decoder into one refusal."""
    try:
        yield
    except (RefusedImage, MemoryError):
        raise
    except NotImplementedError as error:
        raise RefusedImage("dicom_unsupported") from error
    except Exception as error:  # pydicom and its decoders raise errors of some twenty kinds on arbitrary bytes
        raise RefusedImage("damaged") from error


def _picture_elements(data: bytes) -> Dataset:
    """Return the wanted elements of a file, and nothing of the others."""
    syntax, start = _transfer_syntax(data)
    reader = ElementReader(data, is_little_endian=syntax.is_little_endian)
    is_implicit = reader.looks_implicit(start, assumed=syntax.is_implicit_VR, is_nested=False)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.set_original_encoding(is_implicit, syntax.is_little_endian)
    for element in reader.elements(start, len(data), is_implicit=is_implicit):
        if element.tag in _FLOAT_TAGS:
            raise RefusedImage("dicom_unsupported")
        if element.tag in _TABLE_TAGS:
            items = reader.first_item(element, is_implicit=is_implicit)
            if items is not None:
                table: dict[BaseTag, DataElement | RawDataElement] = {
                    BaseTag(part.tag): _raw(part, data, syntax) for part in items if part.tag in _LUT_TAGS
                }
                dataset.add(DataElement(element.tag, "SQ", Sequence([Dataset(table)])))
        elif element.tag in _TAGS:
            dataset[BaseTag(element.tag)] = _raw(element, data, syntax)
        # Refused at once: the functional groups of many frames, which come later, are many parts.
        if element.tag == _FRAMES_TAG and (frames := int(dataset.NumberOfFrames or 1)) > 1:
            raise RefusedImage("dicom_multi_frame", frames=frames)
    return dataset


def _transfer_syntax(data: bytes) -> tuple[UID, int]:
    """Return the transfer syntax and the position after the file meta information.

    Refuses what no decoder reads, and deflated files: those would be inflated without a bound.
    """
    syntax, position = None, _META_AT
    for element in ElementReader(data).elements(_META_AT, len(data), is_implicit=False):
        if element.tag >> 16 != _META_GROUP:
            break
        if element.is_undefined or element.end - element.start > MAX_ELEMENT_BYTES:
            raise RefusedImage("damaged")
        position = element.end
        if element.tag == _SYNTAX_TAG:
            syntax = UID(data[element.start : element.end].rstrip(b"\0 ").decode("ascii"))
    if syntax is None:
        raise RefusedImage("damaged")
    if syntax == DeflatedExplicitVRLittleEndian or not get_decoder(syntax).is_available:
        raise RefusedImage("dicom_unsupported")
    return syntax, position


def _raw(element: Element, data: bytes, syntax: UID) -> RawDataElement:
    """Cut an element out of the file; refuse one that is longer than its kind is in any image."""
    longest = {_PIXELS_TAG: MAX_BYTES, _LUT_DATA_TAG: MAX_TABLE_BYTES}.get(element.tag, MAX_ELEMENT_BYTES)
    if element.end - element.start > longest:
        raise RefusedImage("damaged")
    value = data[element.start : element.end]
    length = 0xFFFFFFFF if element.is_undefined else len(value)
    is_implicit = element.vr is None
    return RawDataElement(
        BaseTag(element.tag), element.vr, length, value, element.start, is_implicit, syntax.is_little_endian
    )


def _check_pixel_data(dataset: Dataset) -> None:
    """Check that the pixel data is complete and as large as the header says, before a decoder believes either."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated
        if len(dataset.PixelData) < (bits + 7) // 8:
            raise RefusedImage("truncated")
        return
    if dataset.Rows * dataset.Columns > MAX_CODED_PIXELS:
        raise RefusedImage("too_demanding")
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
