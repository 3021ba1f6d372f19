"""The structure of JPEG and PNG files: checked to the last byte, and cut down to what makes the pixels.

A decoder only ever sees what these functions return. Text, color profiles, previews, further pictures and
anything glued behind the end of the image are left out before a byte is decompressed, so they can neither
cost memory nor survive.

Sources: ITU-T T.81 annex B (JPEG markers), ITU-T T.87 (JPEG-LS), PNG specification, third edition, section 5.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from classifier.intake.limits import MAX_JPEG_SCANS, MAX_PARTS
from classifier.intake.refusals import RefusedImage
from classifier.intake.sniffing import PNG_SIGNATURE

_SOI, _EOI, _SOS, _EXIF = 0xD8, 0xD9, 0xDA, 0xE1
# Start-of-frame markers, with JPEG-LS; C4, C8 and CC are tables, not frames.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
# JFIF and Adobe segments say how colors are coded and Exif how the picture is turned; no other is needed.
_DROPPED: Final = frozenset(range(0xE0, 0xF0)) - {0xE0, _EXIF, 0xEE} | {0xFE}
# In coded data FF is followed by a value under 80 (stuffing) or a restart marker D0-D7; all else ends it.
_NEXT_MARKER: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")

# The header, the palette, the pixels, the end, and what changes how they are shown.
_KEPT_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"})
# Channels by color type: gray, RGB, palette, gray with alpha, RGB with alpha.
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# The passes of an interlaced PNG: first column and row, then the steps to the next ones.
_ADAM7: Final = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


@dataclass(frozen=True, slots=True)
class Essentials:
    """The declarations of a file, and the part that holds the pixels.

    Attributes:
        width: Declared pixels from left to right.
        height: Declared pixels from top to bottom.
        data: The same image file without anything that is not needed for its pixels.
    """

    width: int
    height: int
    data: bytes


def jpeg_essentials(data: bytes) -> Essentials:
    """Walk a JPEG (or JPEG-LS) image from its start to its end marker.

    Raises:
        RefusedImage: `truncated` if it ends before its end marker; `damaged` if it is not a sequence of
            segments with one frame, or has more scans than any encoder makes.
    """
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    scans = 0
    for marker, start, end in _jpeg_segments(data):
        if marker in _FRAMES:
            if size is not None or end - start < 9:
                raise RefusedImage("damaged")
            height, width = struct.unpack_from(">HH", data, start + 5)
            size = width, height
        scans += marker == _SOS
        if scans > MAX_JPEG_SCANS:
            raise RefusedImage("damaged")
        is_foreign = marker == _EXIF and not data.startswith(b"Exif\0", start + 4)
        if marker not in _DROPPED and not is_foreign:
            kept.append(data[start:end])
    if size is None or not scans:
        raise RefusedImage("damaged")
    return Essentials(*size, data=b"".join(kept))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment after the first; coded data belongs to its scan."""
    position = 2
    for _ in range(MAX_PARTS):
        marker_at = position
        while data.startswith(b"\xff\xff", position):  # fill bytes are allowed before any marker
            position += 1
        if position + 2 > len(data):
            raise RefusedImage("truncated")
        marker = data[position + 1]
        if data[position] != 0xFF or marker < 0xC0 or marker == _SOI:
            raise RefusedImage("damaged")
        if marker == _EOI:
            yield marker, position, position + 2
            return
        if position + 4 > len(data):
            raise RefusedImage("truncated")
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            end = found.start() if found else len(data) + 1
        if end > len(data):
            raise RefusedImage("truncated")
        if end < position + 4:
            raise RefusedImage("damaged")
        yield marker, position, end
        position = max(end, marker_at + 1)
    raise RefusedImage("damaged")


def png_essentials(data: bytes) -> Essentials:
    """Walk a PNG from its signature to its end chunk.

    Raises:
        RefusedImage: `truncated` if it ends before its end chunk; `animated` if it holds several pictures;
            `damaged` if a chunk needed for the pixels fails its checksum, or the chunks are not a PNG's.
    """
    kept = [PNG_SIGNATURE]
    position = len(PNG_SIGNATURE)
    size: tuple[int, int] | None = None
    for _ in range(MAX_PARTS):
        if position + 12 > len(data):
            raise RefusedImage("truncated")
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if size is None and (name, length) != (b"IHDR", 13):
            raise RefusedImage("damaged")
        if end > len(data):
            raise RefusedImage("truncated" if name.isalpha() else "damaged")
        if name == b"acTL":
            if int.from_bytes(data[position + 8 : position + 12], "big") > 1:
                raise RefusedImage("animated")
        elif name in _KEPT_CHUNKS:
            if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise RefusedImage("damaged")
            kept.append(data[position:end])
        if name == b"IHDR":
            if size is not None:
                raise RefusedImage("damaged")
            size = struct.unpack_from(">II", data, position + 8)
        if name == b"IEND" and size is not None:
            return Essentials(*size, data=b"".join(kept))
        position = end
    raise RefusedImage("damaged")


def png_has_all_rows(data: bytes) -> bool:
    """Return whether the pixel data of a PNG inflates to all the rows that its header declares.

    Decoders take the end of a stream for the end of the image, and leave the rows that are missing black. At most one
    megabyte is inflated at a time, and nothing beyond the last row.

    Args:
        data: What `png_essentials` kept of a file that was found small enough.

    Raises:
        zlib.error: If the pixel data is not a zlib stream.
    """
    missing = _png_row_bytes(data)
    inflater = zlib.decompressobj()
    position = len(PNG_SIGNATURE)
    while position < len(data) and missing > 0:
        length, name = struct.unpack_from(">I4s", data, position)
        waiting = data[position + 8 : position + 8 + length] if name == b"IDAT" else b""
        while waiting and missing > 0:
            missing -= len(inflater.decompress(waiting, 1 << 20))
            waiting = b"" if inflater.eof else inflater.unconsumed_tail
        position += 12 + length
    while missing > 0 and (more := inflater.decompress(inflater.unconsumed_tail, 1 << 20)):
        missing -= len(more)
    return missing <= 0


def _png_row_bytes(data: bytes) -> int:
    """Return how many bytes all rows of a PNG come to, with the filter byte before each."""
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, len(PNG_SIGNATURE) + 8)
    bits = depth * _PNG_CHANNELS.get(color, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
