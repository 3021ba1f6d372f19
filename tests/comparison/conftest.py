"""Evaluations of made-up models on made-up patients."""

import json
from pathlib import Path

import numpy as np
import pytest

from classifier.comparison.evaluations import Evaluation, read_evaluations
from classifier.findings import FINDINGS
from classifier.training.predictions import Prediction, write_predictions

PATIENTS, SLICES = 40, 5


def predictions_with(*, skill: float, seed: int = 0) -> list[Prediction]:
    """Predictions of test images, five a patient; `skill` is the log-odds that a right answer gets on average."""
    rng = np.random.default_rng(seed)
    made = []
    for patient in range(PATIENTS):
        label = FINDINGS[patient % 4]
        # The slices of one patient are alike.
        shift = rng.normal(0, 1)
        for number in range(SLICES):
            logits = rng.normal(0, 1, 4)
            logits[FINDINGS.index(label)] += skill + shift
            p = np.exp(logits) / np.exp(logits).sum()
            made.append(prediction(f"{patient}-{number}.png", label, f"p:{patient}", p))
    return made


def prediction(file: str, label: str, group: str, p, *, part: str = "test", source: str = "a") -> Prediction:
    return Prediction(part, source, file, False, label, group, tuple(float(value) for value in p), 0.5)


def write_evaluation(folder: Path, predictions: list[Prediction], *, protocol: str = "patient", **figures) -> Path:
    """Write an evaluation into a model folder, with the figures of a real one."""
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    path = folder / "evaluation" / f"{protocol}.json"
    content = {
        "model": folder.name,
        "version": "1.0",
        "protocol": protocol,
        "date": "2026-01-02",
        "weights_sha256": "x",
    }
    path.write_text(json.dumps(content | figures), encoding="utf-8")
    write_predictions(path.with_suffix(".csv"), predictions)
    return path


@pytest.fixture
def evaluate(tmp_path):
    """Return a function that writes predictions and reads them back as an evaluation."""

    def evaluation_of(predictions: list[Prediction], *, name: str = "m") -> Evaluation:
        write_evaluation(tmp_path / name, predictions)
        return read_evaluations(tmp_path / name)["patient"]

    return evaluation_of
