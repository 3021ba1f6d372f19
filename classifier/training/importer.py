"""Make a manifest from the public folder layout, so that anyone can repeat the figures with their own copy.

The layout is that of the Kaggle "Brain Tumor MRI Dataset": `Training/<class>/<file>` and `Testing/<class>/<file>`.
Patients are not known there, so near-duplicates stand in for them: images that look alike, mirrored or not, are
never divided between folds.
"""

import csv
import logging
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from classifier.findings import FINDINGS
from classifier.inference.preprocessing import Float32Array
from classifier.training.images import load_images
from classifier.training.manifest import FOLDS, MANIFEST_NAME, REQUIRED, ManifestError, Row
from classifier.training.near_duplicates import SIDE, fingerprints, similarities

log = logging.getLogger(__name__)

NEAR_DUPLICATE = 0.99
"""Correlation of 48×48 pixels from which on two images count as the same picture. Where near-duplicates are known,
fewer than one pair in 20 of the same picture lies below, and almost no pair of different pictures above."""

ALIKE = 0.95
"""Correlation from which on two images stay in one fold: neighboring slices of a patient often lie above."""

SPLITS = {"Training": "train", "Testing": "test"}
SUFFIXES = {".jpg", ".jpeg", ".png"}
SHOWN_PAIRS = 24

Pair = tuple[int, int, float]


def import_folder(folder: Path, *, pairs: Path | None = None) -> Path:
    """Write `manifest.csv` into a folder of the public layout.

    Args:
        folder: Holds `Training` and `Testing`, each with a folder for each finding.
        pairs: Where to draw the pairs nearest to the near-duplicate threshold, or None.

    Returns:
        The manifest's path.

    Raises:
        ManifestError: If the folders are missing or named otherwise.
    """
    images = load_images(find_images(folder), size=SIDE)
    if not len(images):
        raise ManifestError(f"No image in {folder} could be read. Point --data at the folder that holds Training.")
    alike = alike_pairs(fingerprints(images.pixels))
    twins = clusters(len(images), [pair for pair in alike if pair[2] >= NEAR_DUPLICATE])
    groups = clusters(len(images), alike)
    folds = make_folds([row.true_label for row in images.rows], groups=groups)
    with (folder / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(REQUIRED)
        for index, row in enumerate(images.rows):
            group, twin = f"n:{groups[index]}", f"t:{twins[index]}"
            writer.writerow(
                [row.image, row.split, row.label, row.label, row.file, 0, row.source, group, twin, folds[index]]
            )
    if pairs is not None:
        draw_pairs(pairs, rows=images.rows, folder=folder, alike=alike)
    counts = (len(images), len(set(twins)), len(set(groups)), len(images.skipped))
    log.info("%d images, %d pictures, %d groups, %d skipped.", *counts)
    return folder / MANIFEST_NAME


def find_images(folder: Path) -> list[Row]:
    """List the images of the public layout, in order of their names.

    Raises:
        ManifestError: If a folder is missing or has an unknown name.
    """
    rows = []
    for part, split in SPLITS.items():
        if not (folder / part).is_dir():
            raise ManifestError(f"{folder / part} does not exist. Point --data at the folder that holds it.")
        for label_folder in sorted(path for path in (folder / part).iterdir() if path.is_dir()):
            label = label_folder.name
            if label not in FINDINGS:
                raise ManifestError(
                    f"{label_folder} has the unknown label {label!r}. Known labels: {', '.join(FINDINGS)}. Rename it."
                )
            for path in sorted(label_folder.iterdir()):
                if path.suffix.lower() in SUFFIXES:
                    name = path.relative_to(folder).as_posix()
                    rows.append(Row(name, name, False, label, label, split, "folder", "", "", 0, folder=folder))
    return rows


def alike_pairs(prints: Float32Array, *, threshold: float = ALIKE) -> list[Pair]:
    """Return all pairs of images that look alike, mirrored or not: indices and correlation.

    Args:
        prints: From `fingerprints`, float32 `(N, D)`.
        threshold: Smallest correlation.

    Returns:
        Pairs with the smaller index first, in order.
    """
    found: list[Pair] = []
    for start, table in similarities(prints, prints):
        for offset, other in zip(*np.nonzero(table >= threshold), strict=True):
            if other > start + offset:
                found.append((start + int(offset), int(other), float(table[offset, other])))
    return found


def clusters(count: int, pairs: list[Pair]) -> list[int]:
    """Join what is connected: for each of `count` items the smallest index of its cluster."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second, _ in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [root(index) for index in range(count)]


def make_folds(labels: list[str], *, groups: list[int]) -> list[int]:
    """Assign whole groups to folds, the largest first, each to the fold that needs its labels most.

    Args:
        labels: Label of each image.
        groups: Group of each image.

    Returns:
        The fold of each image, 0 to 4.
    """
    contents: dict[int, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        contents.setdefault(group, Counter())[label] += 1
    wanted = {label: count / FOLDS for label, count in Counter(labels).items()}
    held = [Counter[str]() for _ in range(FOLDS)]
    fold_of: dict[int, int] = {}
    for group, content in sorted(contents.items(), key=lambda item: (-item[1].total(), item[0])):
        fullness = [
            sum(count * held[fold][label] / wanted[label] for label, count in content.items()) for fold in range(FOLDS)
        ]
        fold_of[group] = fullness.index(min(fullness))
        held[fold_of[group]].update(content)
    return [fold_of[group] for group in groups]


def draw_pairs(path: Path, *, rows: tuple[Row, ...], folder: Path, alike: list[Pair]) -> None:
    """Draw the pairs nearest to the near-duplicate threshold, so that a person can judge it: above it on the left."""
    above = sorted((pair for pair in alike if pair[2] >= NEAR_DUPLICATE), key=lambda pair: pair[2])[: SHOWN_PAIRS // 2]
    below = sorted((pair for pair in alike if pair[2] < NEAR_DUPLICATE), key=lambda pair: -pair[2])[: SHOWN_PAIRS // 2]
    side, height = 120, max(len(above), len(below), 1)
    canvas = Image.new("L", (4 * side + 20, height * side), 255)
    for column, chosen in enumerate((above, below)):
        for line, (first, second, _) in enumerate(chosen):
            for place, index in enumerate((first, second)):
                with Image.open(folder / rows[index].file) as image:
                    tile = image.convert("L").resize((side, side))
                canvas.paste(tile, (column * (2 * side + 20) + place * side, line * side))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, "PNG")
