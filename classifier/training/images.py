"""Decode a manifest's images and outlines once into memory, so that training never waits for a disk."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from classifier.findings import TUMOR, TUMORS
from classifier.inference.preprocessing import UInt8Array, resize
from classifier.training.manifest import Row

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Decoded images with their rows.

    Attributes:
        rows: The images that could be read, in order.
        pixels: uint8 `(N, size, size)`.
        skipped: Paths that could not be read, with the reason.
        outlines: For tumors whose place is known, by index: a mask of 0 and 255, uint8 `(size, size)`. Where only a
            box is known, the ellipse inside it.
    """

    rows: tuple[Row, ...]
    pixels: UInt8Array
    skipped: tuple[str, ...] = ()
    outlines: Mapping[int, UInt8Array] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.rows)


def read_source(path: Path, *, mirrored: bool = False) -> UInt8Array:
    """Read one image file as gray pixels.

    Args:
        path: JPEG or PNG file.
        mirrored: Whether to mirror it left-right.

    Returns:
        uint8 `(H, W)`.

    Raises:
        OSError: If the file is missing or not a readable image.
    """
    with Image.open(path, formats=("JPEG", "PNG")) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.uint8)
    return np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels


def read_outline(row: Row, *, size: int) -> UInt8Array | None:
    """Return where the tumor of an image lies.

    Args:
        row: The image.
        size: Side of the result in pixels.

    Returns:
        uint8 `(size, size)`, 255 inside the tumor; None if its place is unknown. A box gives the ellipse inside it.

    Raises:
        OSError: If the outline's file cannot be read.
    """
    if row.true_label not in (*TUMORS, TUMOR):
        return None
    if row.outline is not None:
        mask = resize(read_source(row.outline, mirrored=row.mirrored), size=size, method="bilinear")
        return np.where(mask > 127, np.uint8(255), np.uint8(0))
    if row.box is None:
        return None
    x, y, width, height = (value * size for value in row.box)
    canvas = Image.new("L", (size, size))
    ImageDraw.Draw(canvas).ellipse((x - width / 2, y - height / 2, x + width / 2, y + height / 2), fill=255)
    return np.asarray(canvas, np.uint8)


def load_images(rows: Iterable[Row], *, size: int = 299, outlines: bool = False) -> ImageSet:
    """Decode and resize images; a missing or corrupt one is logged by path, skipped and counted.

    Args:
        rows: What to read.
        size: Side in pixels.
        outlines: Whether to read the outlines of tumors too.

    Returns:
        The images that could be read: 89 kB each at 299 pixels.
    """
    kept: list[Row] = []
    pixels: list[UInt8Array] = []
    masks: dict[int, UInt8Array] = {}
    skipped: list[str] = []
    for row in rows:
        try:
            image = resize(read_source(row.path, mirrored=row.mirrored), size=size)
            mask = read_outline(row, size=size) if outlines else None
        except (OSError, ValueError) as error:
            log.warning("Skipped %s: %s", row.file, error)
            skipped.append(f"{row.file}: {error}")
            continue
        if mask is not None:
            masks[len(kept)] = mask
        kept.append(row)
        pixels.append(image)
    stacked = np.stack(pixels) if pixels else np.empty((0, size, size), np.uint8)
    if skipped:
        log.warning("%d of %d images could not be read and were skipped.", len(skipped), len(skipped) + len(kept))
    return ImageSet(rows=tuple(kept), pixels=stacked, skipped=tuple(skipped), outlines=masks)
