"""One packaged model on the images of one protocol: each method measures one thing."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDINGS, TUMOR, TUMORS
from classifier.inference.decision import answer, possible_findings
from classifier.inference.engines import Engine, load_engine
from classifier.inference.ood import OodDetector
from classifier.inference.preprocessing import UInt8Array, preprocess
from classifier.training import metrics
from classifier.training.hospital_check import ERASED, HospitalCheck, originals_of
from classifier.training.hospitals import read_data
from classifier.training.images import ImageSet, load_images
from classifier.training.leaks import near_duplicates_in_training
from classifier.training.machine import describe_machine
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs, Progress, compute_outputs, silent
from classifier.training.pointing import box_iou, points_at
from classifier.training.predictions import CHECK, EXTRA, SAMPLE, TEST, Prediction, predictions_of, sample_rows
from classifier.training.protocols import Split, make_split
from classifier.training.refusal_check import check_refusal

LATENCY_RUNS = 15
NOTUMOR = FINDINGS.index("notumor")


class Evaluation:
    """One model under one protocol; each method measures one thing and returns plain data."""

    def __init__(
        self,
        folder: Path,
        *,
        data: Path | Sequence[Path],
        protocol: str,
        engine: str = "auto",
        exports: Path | None = None,
        cache: Path | None = None,
        progress: Progress = silent,
    ) -> None:
        """Load the model and run it over the test images.

        Args:
            folder: `models/<name>`.
            data: Folders with manifests and images, see `read_data`.
            protocol: `official`, `purged` or `patient`.
            engine: See `load_engine`.
            exports: See `load_engine`.
            cache: Folder that keeps the network's outputs.
            progress: Told how many images are done.

        Raises:
            ManifestError: If the data must not be used.
            ModelError: If the model cannot be used.
        """
        self.engine: Engine = load_engine(folder, engine=engine, exports=exports)
        self.card, self.cache, self.progress = self.engine.card, cache, progress
        self.data = read_data(data)
        self.split: Split = make_split(self.data, protocol=protocol)
        self.official = self.split.official_labels
        self.images: ImageSet = load_images(self.split.test, size=self.card.preprocessing.size)
        self.extra_images = load_images(self.split.extra_test, size=self.card.preprocessing.size)
        self.test: Outputs = compute_outputs(self.engine, self.images, cache=cache, progress=progress)
        self.extra: Outputs = compute_outputs(self.engine, self.extra_images, cache=cache, progress=progress)
        self.p = self.card.calibration.probabilities(self.test.logits)
        self.labels = self.test.labels(official=self.official)
        self.right = self.p.argmax(axis=1) == self.labels
        self.groups = [row.group for row in self.test.rows]

    def accuracy(self) -> dict[str, Any]:
        """Return accuracy of every image, with its interval, and of one image of each twin group."""
        low, high = metrics.bootstrap(lambda index: float(self.right[index].mean()), self.groups)
        twins = [row.twin_group for row in self.test.rows]
        _, first = np.unique(np.array(twins), return_index=True)
        return {
            "value": float(self.right.mean()),
            "low": low,
            "high": high,
            "one_of_each_twin": float(self.right[first].mean()),
            "pictures": len(first),
        }

    def probabilities(self) -> dict[str, Any]:
        """Return how good the probabilities are: NLL, Brier score, calibration."""
        return {
            "nll": metrics.nll(self.p, self.labels),
            "brier": metrics.brier(self.p, self.labels),
            "ece": metrics.ece(self.p, self.labels),
            "reliability": metrics.reliability(self.p, self.labels),
        }

    def abstention(self) -> dict[str, Any]:
        """Return what is answered, its accuracy where a finding is named, and the accuracy at 90% coverage."""
        thresholds = self.card.thresholds
        answers = np.array([answer(row, thresholds) or "" for row in self.p])
        answered, named = answers != "", np.isin(answers, FINDINGS)
        return {
            "threshold": thresholds.finding,
            "tumor_threshold": thresholds.tumor,
            "notumor_threshold": thresholds.notumor,
            "coverage": float(answered.mean()),
            "tumor_of_unknown_kind": float((answers == TUMOR).mean()),
            "accuracy": float(self.right[named].mean()) if named.any() else None,
            "accuracy_at_90_percent_coverage": metrics.accuracy_at_coverage(self.p, self.labels, coverage=0.9),
        }

    def possible(self) -> dict[str, Any]:
        """Return how often the true finding is among those that remain possible, and how many those are."""
        possible = [possible_findings(row, self.card.possible_from) for row in self.p]
        sets = np.array([[name in names for name in FINDINGS] for names in possible])
        held = sets[np.arange(len(sets)), self.labels]
        return {
            "coverage": float(held.mean()),
            "by_finding": {
                name: float(held[self.labels == index].mean())
                for index, name in enumerate(FINDINGS)
                if (self.labels == index).any()
            },
            "mean_size": float(sets.sum(axis=1).mean()),
        }

    def parts(self) -> dict[str, Any]:
        """Return accuracy by source of the image, and by whether training holds a copy or mirror image of it."""
        twins = near_duplicates_in_training(self.split)
        has_twin = np.array([row.image in twins for row in self.test.rows])
        sources = np.array([row.source for row in self.test.rows])
        return {
            "by_source": {name: self._share(sources == name) for name in sorted(set(sources))},
            "by_twin": {"with": self._share(has_twin), "without": self._share(~has_twin)},
            "by_patient": self._by_patient(),
        }

    def _by_patient(self) -> dict[str, Any]:
        """Return the mean accuracy of the patient groups, and how many groups are all or mostly wrong."""
        _, index = np.unique(np.array(self.groups), return_inverse=True)
        shares = np.bincount(index, weights=self.right) / np.bincount(index)
        return {
            "groups": len(shares),
            "mean_accuracy": float(shares.mean()),
            "all_right": int((shares == 1).sum()),
            "mostly_wrong": int((shares < 0.5).sum()),
            "all_wrong": int((shares == 0).sum()),
        }

    def shortcut(self) -> dict[str, Any]:
        """Return whether tumors are recognized, or only the sources of the images."""
        called_tumor = self.p.argmax(axis=1) != NOTUMOR
        healthy = np.array([row.true_label == "notumor" for row in self.test.rows])
        extra = self.card.calibration.probabilities(self.extra.logits)
        found = extra.argmax(axis=1) != NOTUMOR
        scores = {
            "specificity": float((~called_tumor[healthy]).mean()),
            "healthy_images": int(healthy.sum()),
            "tumor_sensitivity": float(called_tumor[~healthy].mean()),
            "auroc_by_source": self._auroc_by_source(extra),
        }
        if len(extra):
            low, high = metrics.bootstrap(
                lambda index: float(found[index].mean()), [row.group for row in self.extra.rows]
            )
            scores["other_scanners"] = {
                "sensitivity": float(found.mean()),
                "low": low,
                "high": high,
                "images": len(found),
            }
        return scores

    def _auroc_by_source(self, extra: np.ndarray) -> dict[str, float]:
        rows = [*self.test.rows, *self.extra.rows]
        score = 1.0 - np.concatenate([self.p[:, NOTUMOR], extra[:, NOTUMOR]])
        tumor = np.array([row.true_label != "notumor" for row in rows])
        sources = np.array([row.source for row in rows])
        chosen = {name: sources == name for name in sorted(set(sources))} | {"all": np.ones(len(rows), bool)}
        return {
            name: metrics.auroc(score[keep & tumor], score[keep & ~tumor])
            for name, keep in chosen.items()
            if (keep & tumor).any() and (keep & ~tumor).any()
        }

    def saliency(self) -> dict[str, Any]:
        """Pointing game and box overlap on tumors with a known box."""
        pairs = list(zip(self.test.rows, self.test.class_maps, strict=True))
        hits = [(row, hit) for row, maps in pairs if (hit := points_at(row, maps)) is not None]
        if not hits:
            return {"images": 0}
        values = np.array([hit for _, hit in hits])
        low, high = metrics.bootstrap(lambda index: float(values[index].mean()), [row.group for row, _ in hits])
        overlaps = [iou for row, maps in pairs if (iou := box_iou(row, maps)) is not None]
        return {
            "pointing_game": float(values.mean()),
            "low": low,
            "high": high,
            "box_iou": float(np.mean(overlaps)),
            "images": len(hits),
            "by_finding": {
                name: float(np.mean([hit for row, hit in hits if row.true_label == name]))
                for name in TUMORS
                if any(row.true_label == name for row, _ in hits)
            },
        }

    def refusal(self) -> dict[str, Any]:
        """Return how well other images are told from brain MR, and what is said of a true normal brain."""
        if self.card.ood is None:
            return {}
        detector = OodDetector.load(self.card.ood)
        brain = np.concatenate([detector.score(part.features, part.appearance) for part in (self.test, self.extra)])
        return check_refusal(self.engine, detector, brain=brain, corruptible=self.images.pixels)

    def hospitals(self) -> dict[str, Any]:
        """Return the figures on images of other hospitals, which are only measured; empty without such images."""
        if not self.split.check:
            return {}
        size = self.card.preprocessing.size

        def outputs(rows: Sequence[Row]) -> Outputs:
            images = load_images(rows, size=size)
            return compute_outputs(self.engine, images, cache=self.cache, progress=self.progress)

        originals = originals_of(self.split.check, self.data.rows)
        return HospitalCheck(
            self.card, outputs(self.split.check), originals=outputs(originals) if originals else None
        ).figures()

    def predictions(self, *, samples: Path | None = None) -> list[Prediction]:
        """Return what the model says of every image that was measured, and of the bundled samples.

        Args:
            samples: Folder of the samples with `samples.json`; None leaves them out.
        """
        size = self.card.preprocessing.size
        made = predictions_of(TEST, self.test, self.card, official=self.official)
        made += predictions_of(EXTRA, self.extra, self.card)
        if self.split.check:
            check = compute_outputs(self.engine, load_images(self.split.check, size=size), cache=self.cache)
            made += predictions_of(CHECK, check, self.card)
        if samples is not None:
            images = load_images(sample_rows(samples), size=size)
            made += predictions_of(SAMPLE, compute_outputs(self.engine, images), self.card)
        return made

    def pairs(self, figures: dict[str, Any]) -> list[tuple[UInt8Array, UInt8Array, float, float]]:
        """Return the pictures of the counterfactual check with and without the tumor, and their probabilities.

        Args:
            figures: From `hospitals`.
        """
        erased = [row for row in self.split.check if row.source == ERASED]
        originals = load_images(originals_of(erased, self.data.rows))
        without = load_images(erased)
        known = {entry["file"]: entry for entry in figures.get("erased", {}).get("probabilities", ())}
        return [
            (original, pixels, known[row.file]["with"], known[row.file]["without"])
            for row, original, pixels in zip(without.rows, originals.pixels, without.pixels, strict=True)
            if row.file in known
        ]

    def latency(self) -> dict[str, Any]:
        """Return median time of one image at batch 1, preprocessing included, on this machine."""
        times = []
        for index in range(min(LATENCY_RUNS, len(self.images))):
            started = time.perf_counter()
            self.engine.predict(preprocess(self.images.pixels[index], parameters=self.card.preprocessing)[None])
            times.append(1000 * (time.perf_counter() - started))
        return {
            "median_ms": statistics.median(times),
            "images": len(times),
            "engine": self.engine.name,
            "machine": describe_machine(),
        }

    def _share(self, keep: np.ndarray) -> dict[str, Any]:
        return {"images": int(keep.sum()), "accuracy": float(self.right[keep].mean()) if keep.any() else None}
