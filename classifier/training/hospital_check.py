"""Measure a model on images of hospitals that it was not trained on, and on slices whose tumor was taken out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.findings import TUMORS
from classifier.inference.calibration import tumor_probability
from classifier.inference.decision import answer
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard
from classifier.training import metrics
from classifier.training.hospitals import OTHER_DISEASE
from classifier.training.manifest import ManifestError, Row
from classifier.training.outputs import Outputs

ERASED = "erased"
"""The set of slices whose tumor was taken out; each is named like its original."""

CALLED = 0.5
"""Calibrated probability of any kind from which a tumor counts as called; independent of the answer's threshold."""

BoolArray = npt.NDArray[np.bool_]


def originals_of(check: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return the originals of the erased slices, in their order, as their files are stored.

    Args:
        check: Check images.
        rows: Images of the main data set.

    Raises:
        ManifestError: If an erased slice has no original of the same name.
    """
    by_stem = {Path(row.file).stem: row for row in rows if row.true_label in TUMORS}
    originals = []
    for row in check:
        if row.source != ERASED:
            continue
        original = by_stem.get(Path(row.file).stem)
        if original is None:
            raise ManifestError(f"{row.file} has no original of the same name among the tumors. Correct the manifest.")
        originals.append(replace(original, mirrored=False))
    return originals


class HospitalCheck:
    """One model on the check images; each method measures one thing and returns plain data."""

    def __init__(self, card: ModelCard, outputs: Outputs, *, originals: Outputs | None = None) -> None:
        """Apply the card's calibration, limits and thresholds.

        Args:
            card: The model's card.
            outputs: Of the check images.
            originals: Of `originals_of` them.
        """
        self.card, self.outputs, self.originals = card, outputs, originals
        self.detector = None if card.ood is None else OodDetector.load(card.ood)
        self.rows = outputs.rows
        self.p = card.calibration.probabilities(outputs.logits)
        self.presence = tumor_probability(self.p)
        self.tumor = np.array([row.true_label != "notumor" for row in self.rows], bool)
        self.refused = self._refused(outputs)
        self.answers = self._answers(self.p, self.refused)

    def figures(self) -> dict[str, Any]:
        """Return everything that can be measured on these images."""
        return {
            "images": len(self.rows),
            "patients": len({row.group for row in self.rows}),
            "sets": self.sets(),
            "without_tumor": self.without_tumor(),
            "all": self.operating_point(np.array([row.source != ERASED for row in self.rows], bool)),
            "erased": self.erased(),
        }

    def sets(self) -> list[dict[str, Any]]:
        """Return areas and shares for each set and sequence that has slices with and without a tumor."""
        return [
            {"set": name, "sequence": sequence} | self.areas(own) | self.operating_point(own)
            for name, sequence, own in self._parts(lambda row: (row.source, row.sequence))
            if (own & self.tumor).any() and (own & ~self.tumor).any()
        ]

    def without_tumor(self) -> list[dict[str, Any]]:
        """Return what is said of sets without a tumor: healthy people, and other diseases in their own rows."""
        parts = []
        for name, label, own in self._parts(lambda row: (row.source, row.label)):
            if name == ERASED or (self._of_source(name) & self.tumor).any():
                continue
            rows = [self.rows[index] for index in np.flatnonzero(own)]
            parts.append(
                {
                    "set": name,
                    "label": OTHER_DISEASE if label == OTHER_DISEASE else "healthy",
                    "stripped": all(row.stripped for row in rows),
                    "sequences": sorted({row.sequence for row in rows}),
                }
                | self.operating_point(own)
            )
        return parts

    def erased(self) -> dict[str, Any]:
        """Return the counterfactual check: the same slices with and without their tumor."""
        own = self._of_source(ERASED)
        if self.originals is None or not own.any():
            return {}
        p = self.card.calibration.probabilities(self.originals.logits)
        before, after = tumor_probability(p), self.presence[own]
        groups = [row.group for row in self.originals.rows]
        low, high = metrics.bootstrap(lambda index: _area(before[index], after[index]), groups)
        answers = self.answers[own]
        return {
            "pairs": len(after),
            "still_called_tumor": float((after >= CALLED).mean()),
            "still_said_tumor": float(np.isin(answers, (*TUMORS, "tumor")).mean()),
            "original_called_tumor": float((before >= CALLED).mean()),
            "area": _area(before, after),
            "area_low": low,
            "area_high": high,
            "lower_without": float((after < before).mean()),
            "probabilities": [
                {"file": row.file, "with": float(b), "without": float(a)}
                for row, b, a in zip(np.array(self.rows, object)[own], before, after, strict=True)
            ],
        }

    def areas(self, own: BoolArray) -> dict[str, Any]:
        """Return the area under the ROC curve of tumor against no tumor, pooled and within patients.

        Within patients: the share of pairs of slices of one patient in which the slice with the tumor scores higher,
        averaged over patients. Intervals are resampled by patient.
        """
        index = np.flatnonzero(own)
        score, tumor = self.presence[index], self.tumor[index]
        groups = np.array([self.rows[i].group for i in index])
        within = [
            _area(score[(groups == name) & tumor], score[(groups == name) & ~tumor])
            for name in sorted(set(groups))
            if (tumor & (groups == name)).any() and (~tumor & (groups == name)).any()
        ]
        low, high = metrics.bootstrap(lambda i: _area(score[i][tumor[i]], score[i][~tumor[i]]), list(groups))
        pairs = np.array(within)
        within_low, within_high = (
            metrics.bootstrap(lambda i: float(pairs[i].mean()), [str(i) for i in range(len(pairs))])
            if len(pairs)
            else (float("nan"), float("nan"))
        )
        return {
            "area": _area(score[tumor], score[~tumor]),
            "area_low": low,
            "area_high": high,
            "area_within": float(pairs.mean()) if len(pairs) else None,
            "area_within_low": within_low if len(pairs) else None,
            "area_within_high": within_high if len(pairs) else None,
        }

    def operating_point(self, own: BoolArray) -> dict[str, Any]:
        """Return what is called and said of some images."""
        called = self.presence >= CALLED
        shown = own & ~self.refused
        said_tumor = np.isin(self.answers, (*TUMORS, "tumor"))
        return {
            "images": int(own.sum()),
            "patients": len({self.rows[index].group for index in np.flatnonzero(own)}),
            "tumors": int((own & self.tumor).sum()),
            "sensitivity": _share(called, own & self.tumor),
            "specificity": _share(~called, own & ~self.tumor),
            "called_tumor": _share(called, own),
            "said_tumor": _share(said_tumor, own),
            "said_tumor_of_tumors": _share(said_tumor, own & self.tumor),
            "said_tumor_without": _share(said_tumor, own & ~self.tumor),
            "said_no_tumor_of_tumors": _share(self.answers == "notumor", own & self.tumor),
            "said_no_tumor_without": _share(self.answers == "notumor", own & ~self.tumor),
            "refused": _share(self.refused, own),
            "uncertain": _share(self.answers == "", shown),
        }

    def _parts(self, key: Any) -> list[tuple[str, str, BoolArray]]:
        keys = [key(row) for row in self.rows]
        return [(*name, np.array([item == name for item in keys], bool)) for name in sorted(set(keys))]

    def _of_source(self, name: str) -> BoolArray:
        return np.array([row.source == name for row in self.rows], bool)

    def _refused(self, outputs: Outputs) -> BoolArray:
        if self.detector is None:
            return np.zeros(len(outputs), bool)
        scores: Float32Array = self.detector.score(outputs.features, outputs.appearance)
        refused: BoolArray = scores > LIMIT
        return refused

    def _answers(self, p: Float32Array, refused: BoolArray) -> npt.NDArray[np.str_]:
        """Return what is said of each image: an answer, or "" if uncertain, or "refused"."""
        said = [answer(row, self.card.thresholds) or "" for row in p]
        return np.array(["refused" if no else word for word, no in zip(said, refused, strict=True)])


def _area(positive: npt.ArrayLike, negative: npt.ArrayLike) -> float:
    positive, negative = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    return metrics.auroc(positive, negative) if len(positive) and len(negative) else float("nan")


def _share(values: npt.NDArray[Any], own: BoolArray) -> float | None:
    return float(values[own].mean()) if own.any() else None
