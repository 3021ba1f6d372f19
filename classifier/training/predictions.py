"""Keep what a model said of every image that it was measured on, so that its figures can be checked later."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from classifier.findings import FINDINGS
from classifier.inference.calibration import NOTUMOR
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.registry import ModelCard
from classifier.training import metrics
from classifier.training.hospital_check import CALLED, ERASED
from classifier.training.hospitals import OTHER_DISEASE
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs

TEST, EXTRA, CHECK, SAMPLE = "test", "extra", "check", "sample"
"""Parts: test images, tumors of unknown kind held out with them, images of other hospitals, bundled samples."""

NOT_SHIPPED = "not shipped"
"""Value of `weights` in the figures of a run whose weights are not part of the model: kept for comparison alone."""

COLUMNS = ("part", "source", "file", "mirrored", "label", "group", *FINDINGS, "ood_score")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        part: Why it was measured.
        source: Where the picture came from.
        file: Its path in its data folder.
        mirrored: Whether it was mirrored left-right.
        label: What it shows.
        group: Patient, or cluster of near-duplicates.
        probabilities: Calibrated, in the order of `FINDINGS`.
        ood_score: How far it is from brain MR; above 1 it was refused.
    """

    part: str
    source: str
    file: str
    mirrored: bool
    label: str
    group: str
    probabilities: tuple[float, ...]
    ood_score: float

    @property
    def tumor_probability(self) -> float:
        """Calibrated probability of a tumor of any kind."""
        return 1.0 - self.probabilities[NOTUMOR]

    @property
    def shows_tumor(self) -> bool:
        """Whether the image shows a tumor; another disease is none."""
        return self.label not in (FINDINGS[NOTUMOR], OTHER_DISEASE)

    @classmethod
    def from_record(cls, record: dict[str, str]) -> Self:
        """Read one row of the file."""
        return cls(
            part=record["part"],
            source=record["source"],
            file=record["file"],
            mirrored=record["mirrored"] == "1",
            label=record["label"],
            group=record["group"],
            probabilities=tuple(float(record[name]) for name in FINDINGS),
            ood_score=float(record["ood_score"]),
        )


def predictions_of(part: str, outputs: Outputs, card: ModelCard, *, official: bool = False) -> list[Prediction]:
    """Return what a card makes of a network's outputs."""
    detector = None if card.ood is None else OodDetector.load(card.ood)
    scores = np.zeros(len(outputs)) if detector is None else detector.score(outputs.features, outputs.appearance)
    p = card.calibration.probabilities(outputs.logits)
    return [
        Prediction(
            part=part,
            source=row.source,
            file=row.file,
            mirrored=row.mirrored,
            label=row.label if official or row.use else row.true_label,
            group=row.group,
            probabilities=tuple(round(float(value), 7) for value in values),
            ood_score=round(float(score), 6),
        )
        for row, values, score in zip(outputs.rows, p, scores, strict=True)
    ]


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write a CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for item in predictions:
            writer.writerow(
                [item.part, item.source, item.file, int(item.mirrored), item.label, item.group]
                + [f"{value:.7f}" for value in item.probabilities]
                + [f"{item.ood_score:.6f}"]
            )


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `write_predictions` wrote.

    Raises:
        OSError, KeyError, ValueError: If it is not such a file.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        return [Prediction.from_record(record) for record in csv.DictReader(stream)]


def sample_rows(folder: Path) -> list[Row]:
    """Return the bundled samples as rows."""
    listing = json.loads((folder / "samples.json").read_text(encoding="utf-8"))["samples"]
    rows = []
    for item in listing:
        name, label = item["file"], item["finding"]
        rows.append(Row(name, name, False, label, label, "", "samples", name, name, 0, folder=folder))
    return rows


def figures_of(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Compute the figures that a card quotes from the predictions alone.

    Returns:
        Those that can be computed, by the names of `record.summary`; of other hospitals under `hospitals`.
    """
    items = list(predictions)
    test = [item for item in items if item.part == TEST]
    figures: dict[str, Any] = {}
    if test:
        p = np.array([item.probabilities for item in test])
        labels = np.array([FINDINGS.index(item.label) for item in test])
        recalls = metrics.per_class(p, labels)
        figures |= {
            "images": len(test),
            "accuracy": metrics.accuracy(p, labels),
            "nll": metrics.nll(p, labels),
            "ece": metrics.ece(p, labels),
            "meningioma_recall": recalls["meningioma"]["recall"],
            "specificity": recalls["notumor"]["recall"],
        }
    extra = [item for item in items if item.part == EXTRA]
    if extra:
        found = [int(np.argmax(item.probabilities)) != NOTUMOR for item in extra]
        figures["other_scanner_tumor_sensitivity"] = float(np.mean(found))
    check = [item for item in items if item.part == CHECK and item.source != ERASED]
    if check:
        called = np.array([item.tumor_probability >= CALLED for item in check])
        tumor = np.array([item.shows_tumor for item in check])
        erased = [item for item in items if item.part == CHECK and item.source == ERASED]
        figures["hospitals"] = {
            "images": len(check),
            "sensitivity": float(called[tumor].mean()) if tumor.any() else None,
            "specificity": float((~called)[~tumor].mean()) if (~tumor).any() else None,
            "refused": float(np.mean([item.ood_score > LIMIT for item in check])),
        }
        if erased:
            still = [item.tumor_probability >= CALLED for item in erased]
            figures["hospitals"]["still_called_tumor"] = float(np.mean(still))
    return figures
