"""The leak table: how many test images of each protocol have a copy, or their patient, in training."""

from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDINGS
from classifier.training.hospitals import read_data
from classifier.training.images import load_images
from classifier.training.manifest import Row
from classifier.training.near_duplicates import SIDE, fingerprints, nearest
from classifier.training.protocols import PROTOCOLS, Split, make_split


def leak_table(data: Path, *, protocols: tuple[str, ...] = PROTOCOLS) -> list[dict[str, Any]]:
    """Count leaks and score the pixel nearest neighbor, for each protocol.

    Args:
        data: Folder with the manifest and the images.
        protocols: Which protocols.

    Returns:
        One row for each protocol: `train`, `test`, `test_with_twin`, `test_of_known_group` and
        `neighbour_accuracy` (of a mirror-aware look-up on 48×48 pixels, without any training).

    Raises:
        ManifestError: If the data must not be used.
    """
    everything = read_data(data, extra=False)
    rows = list(everything.rows)
    images = load_images(rows, size=SIDE)
    prints = dict(zip((row.image for row in images.rows), fingerprints(images.pixels), strict=True))
    return [_leaks(make_split(everything, protocol=name, validate=False), prints=prints) for name in protocols]


def neighbour_accuracy(
    train: tuple[Row, ...], test: tuple[Row, ...], *, prints: dict[str, Any], official: bool
) -> float:
    """Return share of test images whose most similar training image has their label."""
    train = tuple(row for row in train if row.image in prints and not row.partial)
    test = tuple(row for row in test if row.image in prints)
    known = np.stack([prints[row.image] for row in train])
    indices, _ = nearest(np.stack([prints[row.image] for row in test]), known)
    right = [_label(row, official) == _label(train[i], official) for row, i in zip(test, indices, strict=True)]
    return float(np.mean(right))


def near_duplicates_in_training(split: Split) -> set[str]:
    """Name of the test images of which training holds a copy or mirror image."""
    known = {row.twin_group for row in (*split.train, *split.validation)}
    return {row.image for row in split.test if row.twin_group in known}


def _leaks(split: Split, *, prints: dict[str, Any]) -> dict[str, Any]:
    groups = {row.group for row in split.train}
    twins = near_duplicates_in_training(split)
    score = neighbour_accuracy(split.train, split.test, prints=prints, official=split.official_labels)
    return {
        "protocol": split.protocol,
        "train": len(split.train),
        "test": len(split.test),
        "test_with_twin": len(twins),
        "test_with_twin_by_finding": {
            name: sum(row.label == name and row.image in twins for row in split.test) for name in FINDINGS
        },
        "test_of_known_group": sum(row.group in groups for row in split.test),
        "neighbour_accuracy": round(score, 4),
    }


def _label(row: Row, official: bool) -> str:
    return row.label if official else row.true_label
