"""Damaged and hostile files by the thousand, the same for the same seed."""

import functools
import random
import struct
import zlib
from collections.abc import Callable, Iterator

from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from devtools.corpus import dicoms, hostile, pngs
from devtools.corpus.pictures import encoded, head_slice, jpeg, picture, png

_SIZES = (0, 1, 2, 3, 7, 8, 12, 15, 16, 17, 24, 32, 33, 64, 120, 150, 255, 256, 4096, 32767, 32768, 65535)
_DESCRIPTION = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
)
_NUMBERS = (b"", b"0", b"-1", b"1e308", b"-1e-308", b"nan", b"inf", b"9" * 16, b"abc", b"1\\2\\3\\4", b"600", b"1200 ")


@functools.cache
def _whole() -> dict[str, bytes]:
    """Good files of every kind that is read, and a deflated one."""
    jpeg_ls = get_testdata_file("MR_small_jpeg_ls_lossless.dcm", read=False, download=False)
    assert isinstance(jpeg_ls, str)
    with open(jpeg_ls, "rb") as file:
        jpeg_ls_bytes = file.read()
    return {
        "jpeg": jpeg("RGB"),
        "progressive-jpeg": jpeg("RGB", progressive=True),
        "png": png("RGBA"),
        "palette-png": png("P"),
        "dicom": dicoms.windowed(),
        "dicom-rescaled": dicoms.rescaled(),
        "dicom-jpeg": dicoms.baseline_jpeg(),
        "dicom-jpeg-2000": dicoms.jpeg_2000(),
        "dicom-jpeg-ls": jpeg_ls_bytes,
        "dicom-run-length": dicoms.run_length(),
        "dicom-table": hostile.table_items(3),
        "dicom-deflated": dicoms.deflated_bomb(megabytes=1),
    }


def _odd_description(rng: random.Random) -> bytes:
    """Return a DICOM file whose pixels are described wrongly."""
    data = bytearray(_whole()[rng.choice(["dicom", "dicom-run-length", "dicom-jpeg-2000", "dicom-table"])])
    for keyword in rng.sample(_DESCRIPTION, rng.randint(1, 3)):
        at = data.find(hostile.element(keyword, b"US", b"\0\0")[:8])
        if at >= 0:
            struct.pack_into("<H", data, at + 8, rng.choice(_SIZES))
    return bytes(data)


def _odd_window(rng: random.Random) -> bytes:
    """Return a DICOM file with senseless windows, slopes and numbers of frames."""
    keywords = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "VOILUTFunction")
    extra = (
        hostile.element(keyword, b"IS" if keyword == "NumberOfFrames" else b"DS", value)
        for keyword in rng.sample(keywords, rng.randint(1, 4))
        if len(value := rng.choice(_NUMBERS) * rng.choice([1, 1, 1, 50, 3000])) < 65_536
    )
    return hostile.before_pixels(dicoms.dicom(head_slice()), b"".join(extra))


def _odd_table(rng: random.Random) -> bytes:
    """Return a DICOM file with a lookup table that is too long, too short, or says something else than it is."""
    entries, first, bits = (rng.choice(_SIZES) for _ in range(3))
    content = hostile.element("LUTDescriptor", b"US", struct.pack("<3H", entries, first, rng.choice([8, 16, bits])))
    length = rng.choice([0, 1, 2 * entries, entries, 131_072, 131_074, 1_000_000])
    content += hostile.element("LUTData", b"OW", rng.randbytes(length))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    keyword = rng.choice(["VOILUTSequence", "ModalityLUTSequence"])
    return hostile.before_pixels(dicoms.windowed(), hostile.element(keyword, b"SQ", item * rng.randint(0, 3)))


def _odd_fragments(rng: random.Random) -> bytes:
    """Return a compressed DICOM file whose frame is cut into many pieces, at wrong offsets."""
    frame = encoded(picture(), "JPEG2000", no_jp2=True, irreversible=False)
    pieces = rng.choice([1, 2, 10, 500, 5000])
    ends = sorted(rng.randrange(len(frame)) // 2 * 2 for _ in range(pieces - 1))
    parts = [frame[start:end] for start, end in zip([0, *ends], [*ends, len(frame)], strict=True)]
    content = encapsulate([frame])[:8] + struct.pack("<L", rng.choice([0, 8, 1 << 31]))
    content += b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(part)) + part for part in parts)
    return dicoms.dicom(head_slice(), syntax=JPEG2000Lossless, PixelData=content)


def _odd_structure(rng: random.Random) -> bytes:
    """Return a DICOM file of very many parts."""
    make, most = rng.choice(
        [
            (hostile.nested_items, 200_000),
            (hostile.deep_sequence, 20_000),
            (hostile.table_items, 200_000),
            (hostile.fragments, 200_000),
            (hostile.long_table, 500_000),
            (hostile.many_windows, 500_000),
        ]
    )
    return make(int(most ** rng.random()))


def _odd_png(rng: random.Random) -> bytes:
    """Return a PNG whose checksums are right and whose header fits its pixels badly."""
    width, height = rng.choice([64, 100, 4000, 6300]), rng.choice([64, 100, 4000, 6300])
    header = pngs.header(width=width, height=height, depth=rng.choice([1, 2, 4, 8, 16, 3]), color=rng.randint(0, 7))
    rows = zlib.compress(bytes(rng.choice([0, 10_000, 5_000_000])) + rng.randbytes(1000), 1)
    extra = pngs.chunk(
        rng.choice([b"PLTE", b"tRNS", b"eXIf", b"gAMA"]), rng.randbytes(rng.choice([0, 1, 3, 768, 5000]))
    )
    return pngs.SIGNATURE + header + extra + pngs.chunk(b"IDAT", rows) + pngs.chunk(b"IEND", b"")


def _odd_jpeg(rng: random.Random) -> bytes:
    """Return a JPEG whose frame header says something else than its scans."""
    data = bytearray(_whole()[rng.choice(["jpeg", "progressive-jpeg"])])
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    struct.pack_into(">HH", data, at + 5, rng.choice([64, 150, 6300, 65_500]), rng.choice([64, 120, 6300, 65_500]))
    if rng.random() < 0.5:
        data[at + 9 + rng.randrange(10)] = rng.choice(_SIZES) & 0xFF
    return bytes(data)


def _damaged(rng: random.Random, data: bytes) -> bytes:
    """Change, insert, remove or repeat bytes anywhere."""
    content = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at, length = rng.randrange(len(content) + 1), rng.choice([1, 2, 4, 8, 100])
        change = rng.randrange(6)
        if change == 0:
            content[at : at + length] = rng.randbytes(length)
        elif change == 1:
            content[at : at + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x01\x00"])
        elif change == 2:
            content[at:at] = rng.randbytes(length)
        elif change == 3:
            del content[at : at + length]
        elif change == 4:
            content[at:at] = content[at : at + length] * rng.choice([1, 10, 1000])
        elif len(content) > 300 and rng.random() < 0.2:
            del content[rng.randrange(300, len(content)) :]
    return bytes(content)


_BUILDERS: tuple[Callable[[random.Random], bytes], ...] = (
    *(_odd_description, _odd_window, _odd_table, _odd_fragments, _odd_structure, _odd_png, _odd_jpeg),
)


def mutated_files(count: int, *, seed: int = 14) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of `count` files: half are good files with damage, half are built to be odd."""
    rng = random.Random(seed)
    names = sorted(_whole())
    for number in range(count):
        if number % 2:
            name = rng.choice(names)
            data = _damaged(rng, _whole()[name])
            # Half of the PNG files get past their checksums, to the decoder.
            yield f"{number} {name}", pngs.with_right_checksums(data) if rng.random() < 0.5 else data
            continue
        build = rng.choice(_BUILDERS)
        data = build(rng)
        yield f"{number} {build.__name__}", _damaged(rng, data) if rng.random() < 0.2 else data
