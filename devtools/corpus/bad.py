"""Files to refuse, each with the code of its sentence."""

import io
import struct
import zipfile

from PIL import Image

from classifier.intake.limits import MAX_BYTES
from devtools.corpus import dicoms, hostile, pngs
from devtools.corpus.pictures import encoded, head_slice, jpeg, picture, png
from devtools.corpus.uploads import BadUpload

_JPEG, _PNG, _DICOM = "image/jpeg", "image/png", "application/dicom"
_SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
_HTML = b"<!DOCTYPE html>\n<html><body><script>alert(1)</script></body></html>"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("slice.jpg", jpeg())
    return buffer.getvalue()


def _jpeg_declaring(*, width: int, height: int) -> bytes:
    """Return the good JPEG with another size written into its frame header."""
    data = bytearray(jpeg())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def _many_scans() -> bytes:
    """Return a progressive JPEG that repeats its last scan a thousand times."""
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + data[-2:]


def _many_elements() -> bytes:
    """Return a DICOM file with 60,000 empty private elements."""
    elements = (struct.pack("<HH4s", 0x0011 + 2 * (n >> 15), 0x1000 + (n & 0x7FFF), b"LO\0\0") for n in range(60_000))
    return dicoms.dicom(None) + b"".join(elements)


def _strip() -> bytes:
    return encoded(Image.fromarray(head_slice()).resize((2000, 80)), "PNG")


def _first_part(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


BAD_UPLOADS: list[BadUpload] = [
    BadUpload("empty", "scan.jpg", _JPEG, bytes, "empty"),
    BadUpload("thirty-megabytes", "scan.jpg", _JPEG, lambda: jpeg() + bytes(30 * 2**20), "too_large"),
    BadUpload("one-byte-too-large", "scan.png", _PNG, lambda: png().ljust(MAX_BYTES + 1, b"\0"), "too_large"),
    BadUpload("svg", "scan.svg", "image/svg+xml", lambda: _SVG, "wrong_type"),
    BadUpload("svg-named-png", "scan.png", _PNG, lambda: _SVG, "wrong_type"),
    BadUpload("html-named-jpg", "scan.jpg", _JPEG, lambda: _HTML, "wrong_type"),
    BadUpload("text-named-dcm", "scan.dcm", _DICOM, lambda: b"Please find the scan attached.", "wrong_type"),
    BadUpload("gif-named-png", "scan.png", _PNG, lambda: encoded(picture(), "GIF"), "wrong_type"),
    BadUpload("bmp", "scan.bmp", "image/bmp", lambda: encoded(picture(), "BMP"), "wrong_type"),
    BadUpload("tiff", "scan.tif", "image/tiff", lambda: encoded(picture(), "TIFF"), "wrong_type"),
    BadUpload("webp", "scan.webp", "image/webp", lambda: encoded(picture(), "WEBP"), "wrong_type"),
    BadUpload("pdf", "scan.pdf", "application/pdf", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "wrong_type"),
    BadUpload("zip", "scans.zip", "application/zip", _zip, "wrong_type"),
    BadUpload("nifti", "scan.nii", _DICOM, lambda: bytes(344) + b"n+1\0" + bytes(64), "wrong_type"),
    BadUpload("png-bomb", "scan.png", _PNG, lambda: pngs.declaring(width=50_000, height=50_000), "too_many_pixels"),
    BadUpload("png-bomb-huge", "scan.png", _PNG, lambda: pngs.declaring(width=2**31 - 1, height=9), "too_many_pixels"),
    BadUpload("jpeg-bomb", "a.jpg", _JPEG, lambda: _jpeg_declaring(width=65_500, height=65_500), "too_many_pixels"),
    BadUpload("jpeg-thousand-scans", "scan.jpg", _JPEG, _many_scans, "damaged"),
    BadUpload("one-pixel", "scan.png", _PNG, lambda: encoded(Image.new("L", (1, 1)), "PNG"), "too_small"),
    BadUpload("63-pixels", "scan.jpg", _JPEG, lambda: encoded(Image.new("L", (63, 90)), "JPEG"), "too_small"),
    BadUpload("strip", "scan.png", _PNG, _strip, "too_thin"),
    BadUpload("animated-png", "scan.png", _PNG, pngs.animated, "animated"),
    BadUpload("truncated-jpeg", "scan.jpg", _JPEG, lambda: _first_part(jpeg(), 0.6), "truncated"),
    BadUpload("truncated-jpeg-at-its-end", "scan.jpg", _JPEG, lambda: jpeg()[:-2], "truncated"),
    BadUpload("truncated-progressive", "a.jpg", _JPEG, lambda: _first_part(jpeg(progressive=True), 0.6), "truncated"),
    BadUpload("cut-and-closed-jpeg", "a.jpg", _JPEG, lambda: _first_part(jpeg(), 0.6) + b"\xff\xd9", "truncated"),
    BadUpload("truncated-png", "scan.png", _PNG, lambda: _first_part(png(), 0.6), "truncated"),
    BadUpload("truncated-png-at-its-end", "scan.png", _PNG, lambda: png()[:-12], "truncated"),
    BadUpload("png-with-half-its-rows", "scan.png", _PNG, pngs.with_too_few_rows, "truncated"),
    BadUpload("png-without-pixels", "scan.png", _PNG, pngs.without_pixels, "truncated"),
    BadUpload("png-with-flipped-bit", "scan.png", _PNG, pngs.with_flipped_bit, "damaged"),
    BadUpload("jpeg-start-then-noise", "a.jpg", _JPEG, lambda: b"\xff\xd8\xff" + b"\x37" * 5000, "damaged"),
    BadUpload("png-signature-then-noise", "a.png", _PNG, lambda: png()[:8] + b"\x37" * 5000, "damaged"),
    BadUpload("dicom-without-pixels", "a.dcm", _DICOM, lambda: dicoms.dicom(None), "dicom_no_pixels"),
    BadUpload("dicom-header-only", "a.dcm", _DICOM, lambda: dicoms.windowed(PixelData=None), "dicom_no_pixels"),
    BadUpload("dicom-multi-frame", "a.dcm", _DICOM, dicoms.multi_frame, "dicom_multi_frame"),
    BadUpload("dicom-colour", "a.dcm", _DICOM, dicoms.color, "dicom_colour"),
    BadUpload("dicom-palette-colour", "a.dcm", _DICOM, dicoms.palette_color, "dicom_colour"),
    BadUpload("dicom-bomb", "a.dcm", _DICOM, lambda: dicoms.windowed(Rows=65_000, Columns=65_000), "too_many_pixels"),
    BadUpload("dicom-deflated-bomb", "a.dcm", _DICOM, lambda: dicoms.deflated_bomb(megabytes=200), "dicom_unsupported"),
    BadUpload("dicom-many-elements", "a.dcm", _DICOM, _many_elements, "damaged"),
    BadUpload("dicom-jpeg-ls-bomb", "a.dcm", _DICOM, hostile.jpeg_ls_bomb, "too_demanding"),
    BadUpload("dicom-nested-items", "a.dcm", _DICOM, lambda: hostile.nested_items(600_000), "damaged"),
    BadUpload("dicom-more-nested-items", "a.dcm", _DICOM, lambda: hostile.nested_items(2_000_000), "damaged"),
    BadUpload("dicom-million-table-items", "a.dcm", _DICOM, lambda: hostile.table_items(1_000_000), "damaged"),
    BadUpload("dicom-table-of-a-million", "a.dcm", _DICOM, lambda: hostile.long_table(1_000_000), "damaged"),
    BadUpload("dicom-million-windows", "a.dcm", _DICOM, lambda: hostile.many_windows(1_000_000), "damaged"),
    BadUpload("dicom-two-million-fragments", "a.dcm", _DICOM, lambda: hostile.fragments(2_000_000), "damaged"),
    BadUpload("dicom-deep-sequence", "a.dcm", _DICOM, lambda: hostile.deep_sequence(10_000), "damaged"),
    BadUpload("dicom-lying-jpeg-2000", "a.dcm", _DICOM, dicoms.lying_jpeg_2000, "damaged"),
    BadUpload("dicom-cut-jpeg-2000", "a.dcm", _DICOM, dicoms.cut_jpeg_2000, "truncated"),
    BadUpload("dicom-one-pixel", "a.dcm", _DICOM, lambda: dicoms.dicom(head_slice()[:1, :1]), "too_small"),
    BadUpload("truncated-dicom", "a.dcm", _DICOM, lambda: _first_part(dicoms.windowed(), 0.6), "truncated"),
    BadUpload("dicom-mark-then-noise", "a.dcm", _DICOM, lambda: bytes(128) + b"DICM" + b"\x37" * 5000, "damaged"),
]
