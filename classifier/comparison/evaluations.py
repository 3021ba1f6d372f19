"""Read the evaluations of a model folder: figures and predictions, as `manage.py evaluate --record` wrote them."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS
from classifier.inference.calibration import NOTUMOR
from classifier.training.predictions import NOT_SHIPPED, Prediction, read_predictions

FOLDER = "evaluation"

UNKNOWN = -1
"""Label of an image whose finding is none of the four: a tumor of unknown kind, or another disease."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """A model's answers for some images, as arrays of length N.

    Attributes:
        images: Identity of each image: part, source, file, and whether it was mirrored.
        groups: Patient, or cluster of near-duplicates.
        labels: Index in `FINDINGS`, int; `UNKNOWN` for any other label.
        tumor: Whether the image shows a tumor.
        p: Calibrated probabilities, float `(N, 4)`.
        ood: Out-of-distribution scores.
    """

    images: tuple[tuple[str, str, str, bool], ...]
    groups: tuple[str, ...]
    labels: Array
    tumor: Array
    p: Array
    ood: Array

    @classmethod
    def of(cls, items: list[Prediction]) -> Self:
        """Return predictions as arrays."""
        known = {name: index for index, name in enumerate(FINDINGS)}
        return cls(
            images=tuple((item.part, item.source, item.file, item.mirrored) for item in items),
            groups=tuple(item.group for item in items),
            labels=np.array([known.get(item.label, UNKNOWN) for item in items], int),
            tumor=np.array([item.shows_tumor for item in items], bool),
            p=np.array([item.probabilities for item in items], float).reshape(-1, len(FINDINGS)),
            ood=np.array([item.ood_score for item in items], float),
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def presence(self) -> Array:
        """Calibrated probability of a tumor of any kind."""
        presence: Array = 1.0 - self.p[:, NOTUMOR]
        return presence

    @property
    def patients(self) -> int:
        """Number of groups."""
        return len(set(self.groups))

    def take(self, index: Array) -> "Sample":
        """Return some of the images, by their positions."""
        return Sample(
            images=tuple(self.images[i] for i in index),
            groups=tuple(self.groups[i] for i in index),
            labels=self.labels[index],
            tumor=self.tumor[index],
            p=self.p[index],
            ood=self.ood[index],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One model under one protocol.

    Attributes:
        protocol: The protocol.
        figures: The figures of `evaluation/<protocol>.json`.
        sample: Every image that was measured, in the order of the file; empty without the file of predictions.
        digest: SHA-256 of both files, in hexadecimal digits.
    """

    protocol: str
    figures: dict[str, Any] = field(repr=False)
    sample: Sample = field(repr=False)
    digest: str

    @property
    def is_shipped(self) -> bool:
        """Whether the measured weights are, or were, those of the model, and not of a run for comparison alone."""
        return self.figures.get("weights") != NOT_SHIPPED

    @property
    def is_calibrated(self) -> bool:
        """Whether thresholds were fitted: without them, every image is answered."""
        return (self.figures.get("abstention") or {}).get("threshold") != 0

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluation) and other.digest == self.digest


def read_evaluations(folder: Path) -> dict[str, Evaluation]:
    """Return the evaluations of a model by protocol. A file that cannot be read is left out.

    Args:
        folder: `models/<name>`.
    """
    found = {}
    for path in sorted((Path(folder) / FOLDER).glob("*.json")):
        predictions = path.with_suffix(".csv")
        stamps = tuple(item.stat().st_mtime_ns if item.exists() else 0 for item in (path, predictions))
        evaluation = _read(path, stamps)
        if evaluation is not None:
            found[evaluation.protocol] = evaluation
    return found


@lru_cache(maxsize=64)
def _read(path: Path, stamps: tuple[int, ...]) -> Evaluation | None:
    """Read an evaluation once for each time of change."""
    predictions = path.with_suffix(".csv")
    try:
        content = path.read_bytes()
        figures = json.loads(content)
        protocol = str(figures["protocol"])
        items = read_predictions(predictions) if predictions.exists() else []
        known = predictions.read_bytes() if predictions.exists() else b""
    except (OSError, ValueError, KeyError, TypeError):
        return None
    digest = hashlib.sha256(hashlib.sha256(content).digest() + hashlib.sha256(known).digest()).hexdigest()
    return Evaluation(protocol, figures, Sample.of(items), digest)
