"""Network outputs of a whole set of images, cached on disk because a forward pass is expensive."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS
from classifier.inference.appearance import appearance_statistics
from classifier.inference.engines import Engine
from classifier.inference.ood import OodDetector
from classifier.inference.preprocessing import Float32Array, to_input
from classifier.inference.second_look import predict
from classifier.training.images import ImageSet
from classifier.training.manifest import Row

BATCH = 16
ARRAYS = ("logits", "features", "class_maps", "appearance")
"""Stored fields of `Outputs`, in order."""

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Return a progress function that does nothing."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The network's outputs for images, in order.

    Attributes:
        rows: The images.
        logits: float32 `(N, 4)`.
        features: float32 `(N, C)`.
        class_maps: float16 `(N, h, w, 4)`.
        appearance: Their appearance, float32 `(N, D)`.
    """

    rows: tuple[Row, ...]
    logits: Float32Array
    features: Float32Array
    class_maps: npt.NDArray[np.float16]
    appearance: Float32Array

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, keep: Callable[[Row], bool]) -> "Outputs":
        """Return the images for which `keep` holds."""
        return self.take(index for index, row in enumerate(self.rows) if keep(row))

    def take(self, indices: Iterable[int]) -> "Outputs":
        """Return the images of these numbers, in this order."""
        chosen = list(indices)
        return Outputs(
            rows=tuple(self.rows[index] for index in chosen),
            logits=self.logits[chosen],
            features=self.features[chosen],
            class_maps=self.class_maps[chosen],
            appearance=self.appearance[chosen],
        )

    def labels(self, *, official: bool) -> npt.NDArray[Any]:
        """Return the label of each image as an index of `FINDINGS`, or -1 for a tumor of unknown kind: int `(N,)`."""
        labels = [row.label if official and not row.use else row.true_label for row in self.rows]
        return np.array([FINDINGS.index(label) if label in FINDINGS else -1 for label in labels], int)


def compute_outputs(
    engine: Engine, images: ImageSet, *, cache: Path | None = None, progress: Progress = silent
) -> Outputs:
    """Run a network over images.

    Args:
        engine: The model.
        images: Decoded at the model's input size.
        cache: Folder that keeps results by engine, weights and images, or None.
        progress: Told the number of images done and in all.

    Returns:
        The outputs, in order.
    """
    path = None if cache is None else cache / f"{_key(engine, images)}.npz"
    if path is not None and path.is_file():
        with np.load(path) as archive:
            return Outputs(images.rows, *(archive[name] for name in ARRAYS))
    detector = None if engine.card.ood is None else OodDetector.load(engine.card.ood)
    parts, statistics = [], []
    for start in range(0, len(images), BATCH):
        pixels = images.pixels[start : start + BATCH]
        inputs = to_input(pixels, parameters=engine.card.preprocessing)
        statistics.append(appearance_statistics(inputs, parameters=engine.card.preprocessing))
        parts.append(predict(engine, inputs, detector=detector, appearance=statistics[-1]))
        progress(min(start + BATCH, len(images)), len(images))
    outputs = Outputs(
        rows=images.rows,
        logits=np.concatenate([part.logits for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        class_maps=np.concatenate([part.class_maps for part in parts]).astype(np.float16),
        appearance=np.concatenate(statistics),
    )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **{name: getattr(outputs, name) for name in ARRAYS})
        partial.replace(path)
    return outputs


def _key(engine: Engine, images: ImageSet) -> str:
    digest = hashlib.sha256(f"{engine.name} {engine.card.weights.sha256}".encode())
    digest.update(repr(engine.card.preprocessing).encode())
    digest.update(images.pixels.tobytes())
    return digest.hexdigest()[:24]
