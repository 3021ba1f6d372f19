"""Models with evaluations, for tests of their pages."""

import json

import pytest

from tests.comparison.conftest import predictions_with, write_evaluation


@pytest.fixture
def evaluated(two_models):
    """Both models, evaluated on the same images: `xception` is clearly better."""
    for name, skill in (("xception", 4), ("compact", 1)):
        folder = two_models / name
        digest = json.loads((folder / "card.json").read_text())["weights"]["sha256"]
        latency = {"median_ms": 70.0 if name == "xception" else 20.0, "engine": "openvino"}
        per_class = {"glioma": {"recall": 0.9, "precision": 0.8, "f1": 0.85, "images": 50}}
        write_evaluation(
            folder, predictions_with(skill=skill), weights_sha256=digest, latency=latency, per_class=per_class
        )
    return two_models
