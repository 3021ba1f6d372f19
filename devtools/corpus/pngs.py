"""PNG files that no encoder makes, built chunk by chunk."""

import struct
import zlib

from devtools.corpus.pictures import encoded, picture, png

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def header(*, width: int, height: int, depth: int = 8, color: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))


def with_chunks(*chunks: bytes) -> bytes:
    """Return the good PNG with chunks put in after its header."""
    whole = png()
    return whole[:33] + b"".join(chunks) + whole[33:]


def declaring(*, width: int, height: int) -> bytes:
    """Return a tiny PNG that declares a size, with a megabyte of zeros in a kilobyte of data."""
    data = chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))
    return SIGNATURE + header(width=width, height=height) + data + chunk(b"IEND", b"")


def without_pixels() -> bytes:
    return SIGNATURE + header(width=100, height=100) + chunk(b"IEND", b"")


def with_too_few_rows() -> bytes:
    """Return a PNG whose checksums are right and whose pixel data stops in the middle."""
    rows = b"".join(b"\0" + bytes(100) for _ in range(50))
    data = chunk(b"IDAT", zlib.compress(rows))
    return SIGNATURE + header(width=100, height=100) + data + chunk(b"IEND", b"")


def with_flipped_bit() -> bytes:
    damaged = bytearray(png())
    damaged[len(damaged) // 2] ^= 0x10
    return bytes(damaged)


def with_right_checksums(data: bytes) -> bytes:
    """Return a damaged PNG with checksums that fit, as far as its chunks can be followed; any other file as it is."""
    if not data.startswith(SIGNATURE):
        return data
    parts, position = [SIGNATURE], len(SIGNATURE)
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        parts.append(chunk(name, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return b"".join(parts)


def text_bomb(*, megabytes: int) -> bytes:
    """Return the good PNG with compressed text and a color profile that would each inflate to that many megabytes."""
    packed = _zeros(megabytes)
    return with_chunks(chunk(b"iCCP", b"profile\0\0" + packed), chunk(b"zTXt", b"Comment\0\0" + packed))


def pixel_bomb(*, megabytes: int) -> bytes:
    """Return a small PNG whose pixel data inflates to far more than its declared 100 by 100 pixels."""
    return SIGNATURE + header(width=100, height=100) + chunk(b"IDAT", _zeros(megabytes)) + chunk(b"IEND", b"")


def animated() -> bytes:
    second = picture().rotate(90)
    return encoded(picture(), "PNG", save_all=True, append_images=[second], duration=200)


def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
