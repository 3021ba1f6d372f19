"""Decodes a manifest's images once into memory, so that training never waits for a disk."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

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
    """

    rows: tuple[Row, ...]
    pixels: UInt8Array
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


def read_source(path: Path, *, mirrored: bool = False) -> UInt8Array:
    """Reads one image file as grey pixels.

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


def load_images(rows: Iterable[Row], *, data: Path, size: int = 299) -> ImageSet:
    """Decodes and resizes images; a missing or corrupt one is logged by path, skipped and counted.

    Args:
        rows: What to read.
        data: Folder that the rows' `file` is relative to.
        size: Side in pixels.

    Returns:
        The images that could be read: 89 kB each at 299 pixels.
    """
    kept: list[Row] = []
    pixels: list[UInt8Array] = []
    skipped: list[str] = []
    for row in rows:
        try:
            image = resize(read_source(data / row.file, mirrored=row.mirrored), size=size)
        except (OSError, ValueError) as error:
            log.warning("Skipped %s: %s", row.file, error)
            skipped.append(f"{row.file}: {error}")
            continue
        kept.append(row)
        pixels.append(image)
    stacked = np.stack(pixels) if pixels else np.empty((0, size, size), np.uint8)
    if skipped:
        log.warning("%d of %d images could not be read and were skipped.", len(skipped), len(skipped) + len(kept))
    return ImageSet(rows=tuple(kept), pixels=stacked, skipped=tuple(skipped))
