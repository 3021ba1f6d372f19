"""Measure how well a model tells images that are not brain MR from brain MR, and what it says of a normal brain."""

from typing import Any

import numpy as np

from classifier.findings import FINDINGS
from classifier.inference.appearance import appearance_statistics
from classifier.inference.engines import Engine
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array, UInt8Array, preprocess
from classifier.training import metrics
from classifier.training.ood_images import FAR, NEAR, NORMAL, OodImage, collect, corrupted
from classifier.training.outputs import BATCH

CORRUPTED_IMAGES = 12
"""How many brain MR images are corrupted and scored too."""


def check_refusal(
    engine: Engine, detector: OodDetector, *, brain: Float32Array, corruptible: UInt8Array
) -> dict[str, Any]:
    """Score images that are not brain MR.

    Args:
        engine: The model.
        detector: Its detector.
        brain: Scores of brain MR images to compare with, float32 `(N,)`.
        corruptible: Brain MR images of which some are corrupted, uint8 `(N, size, size)`.

    Returns:
        Shares refused: of brain MR, of images far from and near to it, and by family; the normal template brain; and
        the packages whose images were missing.
    """
    pictures, missing = collect()
    count = min(CORRUPTED_IMAGES, len(corruptible))
    pictures += corrupted(list(corruptible[np.random.default_rng(0).choice(len(corruptible), count, False)]))
    scores, p = _score(engine, detector, pictures)
    kinds, families = np.array([x.kind for x in pictures]), np.array([x.family for x in pictures])
    normal = kinds == NORMAL
    return {
        "brain_mri_refused": float((brain > LIMIT).mean()),
        "far": _refused(scores[kinds == FAR], brain),
        "near": _refused(scores[kinds == NEAR], brain),
        "by_family": {
            name: _refused(scores[keep], brain)
            for name in sorted(set(families[~normal]))
            if (keep := (families == name) & ~normal).any()
        },
        "normal_template": {
            "slices": int(normal.sum()),
            "refused": int((scores[normal] > LIMIT).sum()),
            "called": {name: int((p[normal].argmax(axis=1) == i).sum()) for i, name in enumerate(FINDINGS)},
        },
        "packages_missing": missing,
    }


def _score(engine: Engine, detector: OodDetector, pictures: list[OodImage]) -> tuple[Float32Array, Float32Array]:
    parameters = engine.card.preprocessing
    inputs = [preprocess(picture.pixels, parameters=parameters) for picture in pictures]
    outputs = [engine.predict(np.stack(inputs[i : i + BATCH])) for i in range(0, len(inputs), BATCH)]
    features = np.concatenate([output.features for output in outputs])
    logits = np.concatenate([output.logits for output in outputs])
    appearance = appearance_statistics(np.stack(inputs), parameters=parameters)
    return detector.score(features, appearance), engine.card.calibration.probabilities(logits)


def _refused(scores: Float32Array, brain: Float32Array) -> dict[str, Any]:
    return {
        "images": len(scores),
        "refused": float((scores > LIMIT).mean()),
        "auroc": metrics.auroc(scores, brain),
    }
