"""What a fold's network says of images of other hospitals, and of its own test slices whose tumor was taken out."""

from dataclasses import replace
from typing import Any

import numpy as np

from classifier.inference.engines import Engine
from classifier.inference.registry import ModelCard
from classifier.training.counterfactuals import replace_by_mirrored
from classifier.training.heads import mirror_axis
from classifier.training.hospital_check import ERASED, HospitalCheck
from classifier.training.hospitals import CHECK
from classifier.training.images import ImageSet, load_images
from classifier.training.outputs import compute_outputs
from classifier.training.protocols import Split

SEED = 1
"""Of how far each tumor is widened, and of its seam; the same for every network."""


def check_fold(engine: Engine, split: Split, *, card: ModelCard) -> dict[str, Any]:
    """Measure a calibrated network on what neither training nor the other test images show.

    The set `erased` of another hospital's folder was made from fold 0, so every fold makes its own from the outlined
    slices of its test part. Nothing is refused: a fold's network has no limits of its own.

    Args:
        engine: The network.
        split: The fold's images.
        card: The network's card with the calibration and thresholds of the fold's own validation part.

    Returns:
        As `HospitalCheck.figures`, without the probabilities of single slices; empty without images of other
        hospitals.
    """
    check = [row for row in split.check if row.source != ERASED]
    if not check:
        return {}
    size = engine.card.preprocessing.size
    originals, erased = erase_tumors(load_images(split.test, size=size, outlines=True))
    images = load_images(check, size=size)
    every = ImageSet(rows=(*images.rows, *erased.rows), pixels=np.concatenate([images.pixels, erased.pixels]))
    figures = HospitalCheck(
        card,
        compute_outputs(engine, every),
        originals=compute_outputs(engine, originals) if len(originals) else None,
    ).figures()
    figures["erased"].pop("probabilities", None)
    return figures


def erase_tumors(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Take the tumor out of every slice whose other half can stand in for it.

    Args:
        images: Decoded with outlines. Tumors of which only a box is known are left out.

    Returns:
        The slices with their tumor and, in the same order, without it: labeled `notumor`, of the source `erased`.
    """
    rng = np.random.default_rng(SEED)
    kept, rows, pixels = [], [], []
    for index, mask in images.outlines.items():
        row, image = images.rows[index], images.pixels[index]
        if row.outline is None or row.use:
            continue
        without = replace_by_mirrored(image, mask, axis=mirror_axis(image), rng=rng)
        if without is not None:
            kept.append(index)
            rows.append(replace(row, label="notumor", true_label="notumor", source=ERASED, use=CHECK, outline=None))
            pixels.append(without)
    stacked = np.stack(pixels) if pixels else images.pixels[:0]
    return (
        ImageSet(rows=tuple(images.rows[index] for index in kept), pixels=images.pixels[kept]),
        ImageSet(rows=tuple(rows), pixels=stacked),
    )
