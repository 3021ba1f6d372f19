"""Detect a file's type from its content alone; ignore its name and declared type."""

from typing import Final, Literal

SourceFormat = Literal["JPEG", "PNG", "DICOM"]

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_START: Final = b"\xff\xd8\xff"
_DICOM_MARK: Final = b"DICM"
_DICOM_MARK_AT: Final = 128

_OTHERS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document"),
    (0, b"\x1f\x8b", "a compressed archive (for example NIfTI)"),
    (344, b"n+1\x00", "a NIfTI volume"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftyphei", "a HEIC photograph"),
    (4, b"ftypmif", "a HEIC photograph"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyp", "a video"),
)
_MARKUP: Final[tuple[tuple[bytes, str], ...]] = (
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)
# Long enough for an XML declaration, a doctype and a comment before the first element.
_MARKUP_LOOKED_AT: Final = 1024


def source_format(data: bytes) -> SourceFormat | None:
    """Return the format of a file we read, or None for any other file.

    Args:
        data: The whole file, or at least its first 132 bytes.
    """
    if data.startswith(PNG_SIGNATURE):
        return "PNG"
    if data.startswith(_JPEG_START):
        return "JPEG"
    if data[_DICOM_MARK_AT : _DICOM_MARK_AT + len(_DICOM_MARK)] == _DICOM_MARK:
        return "DICOM"
    return None


def describe(data: bytes) -> str:
    """Describe a file of another type, to follow "The file is …"."""
    for offset, mark, name in _OTHERS:
        if data.startswith(mark, offset):
            return name
    head = data[:_MARKUP_LOOKED_AT].lower()
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        for mark, name in _MARKUP:
            if mark in head:
                return name
    return "of an unsupported type"
