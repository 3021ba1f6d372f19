"""What is reached without a network: by looking up pixels, and from brightness and shape alone."""

from typing import Any

import numpy as np

from classifier.inference.appearance import describe
from classifier.inference.preprocessing import Float32Array, UInt8Array
from classifier.training import lowlevel
from classifier.training.images import load_images
from classifier.training.leaks import neighbour_accuracy
from classifier.training.near_duplicates import SIDE, fingerprints
from classifier.training.protocols import Split


def controls(split: Split) -> dict[str, Any]:
    """Return what a pixel look-up, and brightness and shape alone, reach on the same split."""
    learned = tuple(row for row in (*split.train, *split.validation) if not row.use)
    train = load_images(learned, size=128)
    test = load_images((*split.test, *split.extra_test), size=128)
    prints = {
        row.image: mark
        for part in (train, test)
        for row, mark in zip(part.rows, fingerprints(part.pixels, side=SIDE), strict=True)
    }
    tumor = np.array([row.true_label != "notumor" for row in train.rows])
    test_tumor = np.array([row.true_label != "notumor" for row in test.rows])
    return {
        "pixel_neighbour_accuracy": neighbour_accuracy(
            learned, split.test, prints=prints, official=split.official_labels
        ),
        "low_level_tumor_or_not": lowlevel.control(
            describe(_unit(train.pixels)), tumor, describe(_unit(test.pixels)), test_tumor
        ),
    }


def _unit(pixels: UInt8Array) -> Float32Array:
    """Return gray values as float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255.0)
