"""Files to read: each shows the slice of `head_slice`, and most carry something that must not survive."""

import functools
import io
import zipfile

from devtools.corpus import dicoms, pngs
from devtools.corpus.pictures import (
    SECRET,
    jpeg,
    palette_with_hidden_part,
    png,
    png_16_bit,
    rgba_with_hidden_part,
    turned_jpeg,
)
from devtools.corpus.uploads import GoodUpload

_JPEG, _PNG, _DICOM = "image/jpeg", "image/png", "application/dicom"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("payload.txt", SECRET)
    return buffer.getvalue()


def _jpeg_with_comment() -> bytes:
    """Return a JPEG with a web page in a comment and a second one behind its end."""
    page = b"<html><script>" + SECRET + b"</script></html>"
    data = jpeg()
    return data[:2] + b"\xff\xfe" + (len(page) + 2).to_bytes(2, "big") + page + data[2:] + page


def _png_with_text() -> bytes:
    return pngs.with_chunks(pngs.chunk(b"tEXt", b"Comment\0" + SECRET)) + SECRET


GOOD_UPLOADS: list[GoodUpload] = [
    GoodUpload("grey-jpeg", "scan.jpg", _JPEG, jpeg, "JPEG"),
    GoodUpload("rgb-jpeg", "scan.jpg", _JPEG, lambda: jpeg("RGB"), "JPEG"),
    GoodUpload("cmyk-jpeg", "scan.jpg", _JPEG, lambda: jpeg("CMYK"), "JPEG"),
    GoodUpload("progressive-jpeg", "scan.jpg", _JPEG, lambda: jpeg("RGB", progressive=True), "JPEG"),
    *(
        GoodUpload(f"exif-turned-jpeg-{turn}", "a.jpg", _JPEG, functools.partial(turned_jpeg, turn), "JPEG")
        for turn in range(1, 9)
    ),
    GoodUpload("jpeg-zip-polyglot", "scan.jpg", _JPEG, lambda: jpeg() + _zip(), "JPEG"),
    GoodUpload("jpeg-html-polyglot", "scan.html", "text/html", _jpeg_with_comment, "JPEG"),
    GoodUpload("grey-png", "scan.png", _PNG, png, "PNG", exact=True),
    GoodUpload("grey-alpha-png", "scan.png", _PNG, lambda: png("LA"), "PNG", exact=True),
    GoodUpload("rgb-png", "scan.png", _PNG, lambda: png("RGB"), "PNG", exact=True),
    GoodUpload("rgba-png", "scan.png", _PNG, rgba_with_hidden_part, "PNG", exact=True),
    GoodUpload("palette-png", "scan.png", _PNG, lambda: png("P"), "PNG", exact=True),
    GoodUpload("palette-png-with-transparency", "scan.png", _PNG, palette_with_hidden_part, "PNG", exact=True),
    GoodUpload("one-bit-png", "scan.png", _PNG, lambda: png("1"), "PNG"),
    GoodUpload("16-bit-png", "scan.png", _PNG, lambda: png_16_bit(brightest=65535), "PNG", exact=True),
    GoodUpload("12-bits-in-16-png", "scan.png", _PNG, lambda: png_16_bit(brightest=4095), "PNG"),
    GoodUpload("png-named-jpg", "scan.jpg", _JPEG, png, "PNG", exact=True),
    GoodUpload("jpeg-named-dcm", "scan.dcm", _DICOM, jpeg, "JPEG"),
    GoodUpload("png-with-text", "scan.png", _PNG, _png_with_text, "PNG", exact=True),
    GoodUpload("png-text-bomb", "scan.png", _PNG, lambda: pngs.text_bomb(megabytes=200), "PNG", exact=True),
    GoodUpload("dicom", "IM0001", "application/octet-stream", dicoms.windowed, "DICOM"),
    GoodUpload("dicom-without-window", "a.dcm", _DICOM, lambda: dicoms.dicom(dicoms.scanner_values()), "DICOM"),
    GoodUpload("dicom-monochrome1", "a.dcm", _DICOM, dicoms.inverted, "DICOM", exact=True),
    GoodUpload("dicom-rescaled", "a.dcm", _DICOM, dicoms.rescaled, "DICOM"),
    GoodUpload("dicom-jpeg-2000", "a.dcm", _DICOM, dicoms.jpeg_2000, "DICOM", exact=True),
    GoodUpload("dicom-jpeg", "a.dcm", _DICOM, dicoms.baseline_jpeg, "DICOM"),
    GoodUpload("dicom-run-length", "a.dcm", _DICOM, dicoms.run_length, "DICOM", exact=True),
]
