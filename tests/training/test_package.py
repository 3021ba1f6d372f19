import pytest

from classifier.inference.registry import ModelError
from classifier.training.package import describe_training


def record(**changes):
    plan = {
        "stages": [[224, 2], [299, 1]],
        "learning_rate": 2e-4,
        "batch_size": 16,
        "freeze": 3,
        "smoothing": 0.05,
        "location": 0.2,
        "seed": 1,
    }
    return {
        "protocol": "patient",
        "test_fold": 0,
        "images": {"train": 900, "validation": 100},
        "partial_labels": 40,
        "manifests": {"manifest.csv": "abc" * 20},
        "plan": plan,
        "steps": 12,
        "finished": "2026-01-01",
    } | changes


def test_the_card_tells_how_the_weights_came_to_be():
    stopped = record(plan=record()["plan"] | {"location": 0.0})
    del stopped["finished"]
    text = describe_training([stopped, record()])
    assert "900 images" in text["data"]
    assert "fold 0 never seen" in text["data"]
    first, second = text["recipe"].split("; then ")
    assert "stopped after 12 steps" in first
    assert "location loss 0," in first
    assert "2 at 224 pixels, 1 at 299 pixels, AdamW 0.0002" in second


def test_runs_of_different_protocols_make_no_model():
    with pytest.raises(ModelError, match="different protocols"):
        describe_training([record(), record(protocol="official", test_fold=None)])
