"""DICOM files that are small to send and took seconds and gigabytes to read, built byte by byte."""

import struct

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, RLELossless

from devtools.corpus.dicoms import dicom, windowed
from devtools.corpus.pictures import head_slice

UNDEFINED = 0xFFFFFFFF
_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
_OPEN_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
_ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def element(keyword: str, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """Return an explicit little-endian element."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    if vr not in (b"OW", b"SQ", b"UT"):  # these alone have lengths of 32 bits
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length) + value


def before_pixels(data: bytes, extra: bytes) -> bytes:
    """Put elements before the pixel data of a file."""
    at = data.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    return data[:at] + extra + data[at:]


def nested_items(count: int) -> bytes:
    """Return a good file with a sequence of undefined length, in whose item is one of `count` items."""
    inner = element("ReferencedImageSequence", b"SQ", _ITEM * count + _SEQUENCE_END, length=UNDEFINED)
    outer = element("ReferencedStudySequence", b"SQ", _OPEN_ITEM + inner + _ITEM_END, length=UNDEFINED)
    return before_pixels(windowed(), outer + _SEQUENCE_END)


def deep_sequence(depth: int) -> bytes:
    """Return a good file with sequences of undefined length within each other."""
    opening = element("ReferencedStudySequence", b"SQ", b"", length=UNDEFINED) + _OPEN_ITEM
    return before_pixels(windowed(), opening * depth + (_ITEM_END + _SEQUENCE_END) * depth)


def table_items(count: int, *, length: int | None = UNDEFINED) -> bytes:
    """Return a file with a VOI LUT sequence of a good table and `count` empty items, with or without its length."""
    table = np.arange(256, dtype="<u2").tobytes()
    content = element("LUTDescriptor", b"US", struct.pack("<3H", 256, 0, 8)) + element("LUTData", b"OW", table)
    first = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    return before_pixels(
        dicom(head_slice()), element("VOILUTSequence", b"SQ", first + _ITEM * count + _SEQUENCE_END, length=length)
    )


def long_table(entries: int) -> bytes:
    """Return a file whose VOI LUT has that many entries."""
    content = element("LUTDescriptor", b"US", struct.pack("<3H", 0, 0, 16))
    content += element("LUTData", b"OW", bytes(2 * entries))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    return before_pixels(windowed(), element("VOILUTSequence", b"SQ", item))


def many_windows(count: int) -> bytes:
    """Return a file that lists that many window centers and widths, in elements longer than their kind can be."""
    values = b"\\".join([b"600"] * count) + b"\\"
    return before_pixels(
        dicom(head_slice()), element("WindowCenter", b"UT", values) + element("WindowWidth", b"UT", values)
    )


def fragments(count: int) -> bytes:
    """Return a run-length coded file whose one frame is in that many empty fragments."""
    data = dicom(head_slice(), syntax=RLELossless, PixelData=encapsulate([bytes(64)]))
    return data.removesuffix(_SEQUENCE_END) + _ITEM * count + _SEQUENCE_END


def jpeg_ls_bomb(*, side: int = 6000) -> bytes:
    """Return a file of a few kilobytes whose JPEG-LS frame declares 36 million pixels, as its header does."""
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHBBBB", 11, 8, side, side, 1, 1, 0x11, 0)
    frame += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + b"\x7f" * 4000 + b"\xff\xd9"
    return dicom(head_slice(), syntax=JPEGLSLossless, PixelData=encapsulate([frame]), Rows=side, Columns=side)
