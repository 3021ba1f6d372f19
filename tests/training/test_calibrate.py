import numpy as np
import pytest

from classifier.findings import FINDINGS
from classifier.inference.calibration import probabilities
from classifier.training.calibrate import fit_abstention, fit_possible, fit_saliency, fit_temperature
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs


def row(label, *, box=None):
    return Row(label, "a", False, label, label, "", "a", "g", "t", 0, box)


def outputs(logits, labels):
    count = len(labels)
    rows = tuple(row(FINDINGS[label]) for label in labels)
    maps = np.zeros((count, 2, 2, 4), np.float16)
    return Outputs(rows, logits, np.zeros((count, 3), np.float32), maps, np.zeros((count, 13), np.float32))


@pytest.fixture
def overconfident():
    """Logits whose true temperature is 2: labels are drawn from the softmax of half of them."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (4000, 4)).astype(np.float32)
    p = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    labels = [int(rng.choice(4, p=values / values.sum())) for values in p.astype(np.float64)]
    return outputs(logits, labels)


def test_the_temperature_of_overconfident_logits_is_found(overconfident):
    assert fit_temperature(overconfident, official=False)["temperature"] == pytest.approx(2, abs=0.1)


def test_what_is_answered_is_right_often_enough(overconfident):
    fitted = fit_abstention(overconfident, temperature=2.0, official=False)
    assert fitted["selective_accuracy"] >= fitted["target_selective_accuracy"]
    assert 0 < fitted["coverage"] < 1
    assert fitted["threshold"] > 0.5


def test_a_network_that_is_always_right_answers_everything():
    logits = np.eye(4, dtype=np.float32).repeat(5, axis=0) * 9
    fitted = fit_abstention(outputs(logits, [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5), temperature=1.0, official=False)
    assert (fitted["coverage"], fitted["threshold"]) == (1.0, pytest.approx(1.0, abs=0.01))


def test_the_true_finding_is_among_the_possible_ones_as_often_as_promised(overconfident):
    half = len(overconfident) // 2
    first = overconfident.take(range(half))
    second = overconfident.take(range(half, len(overconfident)))
    fitted = fit_possible(first, temperature=2.0, official=False)
    thresholds = np.array([fitted["thresholds"][name] for name in FINDINGS])
    assert (thresholds <= 0.1).all()
    p, labels = probabilities(second.logits, temperature=2.0), second.labels(official=False)
    for finding in range(4):
        own = p[labels == finding, finding]
        assert (own >= thresholds[finding]).mean() >= 0.93


def test_a_finding_with_few_images_is_never_ruled_out():
    logits = np.eye(4, dtype=np.float32).repeat(10, axis=0) * 9
    fitted = fit_possible(outputs(logits, [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10), temperature=1.0, official=False)
    assert set(fitted["thresholds"].values()) == {0.0}


def test_saliency_shows_nothing_of_what_healthy_images_show():
    maps = np.zeros((2, 10, 10, 4), np.float16)
    maps[0, :, :, 0] = 4  # An image without a tumor that weakly speaks for a glioma everywhere.
    maps[1, 2, 3, 0] = 40
    rows = (row("notumor"), row("glioma", box=(0.35, 0.25, 0.2, 0.2)))
    fitted = fit_saliency(
        Outputs(rows, np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32), maps, np.zeros((2, 13), np.float32))
    )
    assert fitted == {"floor": 3.0, "ceiling": 30.0}
