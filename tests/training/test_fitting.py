from dataclasses import replace

import numpy as np
import pytest

from classifier.findings import FINDINGS
from classifier.inference.calibration import Calibration, probabilities, tumor_probability
from classifier.training import fitting
from classifier.training.fitting import (
    fit_calibration,
    fit_possible,
    fit_temperature,
    fit_thresholds,
    fit_tumor,
    source_weights,
    weighted_quantile,
)
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs


def row(label, *, source="a", group="g"):
    return Row(label, "a", False, label, label, "", source, group, "t", 0)


def outputs(logits, labels, *, sources=None):
    count = len(labels)
    sources = sources or ["a"] * count
    rows = tuple(row(label, source=source) for label, source in zip(labels, sources, strict=True))
    maps = np.zeros((count, 2, 2, 4), np.float16)
    return Outputs(rows, logits, np.zeros((count, 3), np.float32), maps, np.zeros((count, 13), np.float32))


@pytest.fixture
def overconfident():
    """Logits whose true temperature is 2: labels are drawn from the softmax of half of them."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (4000, 4)).astype(np.float32)
    p = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    labels = [FINDINGS[int(rng.choice(4, p=values / values.sum()))] for values in p.astype(np.float64)]
    return outputs(logits, labels)


@pytest.fixture
def sure():
    """Logits of a network that is always right."""
    return outputs(np.eye(4, dtype=np.float32).repeat(5, axis=0) * 9, [name for name in FINDINGS for _ in range(5)])


def test_the_temperature_of_overconfident_logits_is_found(overconfident):
    assert fit_temperature(overconfident, official=False) == pytest.approx(2, abs=0.15)


def test_calibration_never_sharpens(overconfident):
    """Validation patients chose the epoch of the weights, so they are no proof that the network is too cautious."""
    cautious = replace(overconfident, logits=overconfident.logits / 8)
    assert fit_temperature(cautious, official=False) < 0.5
    fitted = fit_calibration(cautious, official=False)
    assert fitted["temperature"] == fitted["tumor_slope"] == 1.0


def test_a_lowered_slope_moves_no_image_to_the_other_side(overconfident, monkeypatch):
    cautious = replace(overconfident, logits=overconfident.logits / 8 + np.float32([0, 0, 1, 0]))
    lowered = Calibration(1.0, *fit_tumor(cautious, temperature=1.0))
    monkeypatch.setattr(fitting, "LARGEST_SLOPE", np.inf)
    free = Calibration(1.0, *fit_tumor(cautious, temperature=1.0))
    presence, sharp = (tumor_probability(calibration.probabilities(cautious.logits)) for calibration in (lowered, free))
    assert lowered.tumor_slope == 1 < free.tumor_slope
    assert ((presence > 0.5) == (sharp > 0.5)).all()
    assert (np.abs(presence - 0.5) <= np.abs(sharp - 0.5)).all()


def test_the_presence_of_a_tumor_is_calibrated_on_its_own(overconfident):
    slope, offset = fit_tumor(overconfident, temperature=2.0)
    assert slope == pytest.approx(1, abs=0.1)
    tumor = np.array([row.true_label != "notumor" for row in overconfident.rows])
    presence = tumor_probability(Calibration(2.0, slope, offset).probabilities(overconfident.logits))
    weights = source_weights(overconfident.rows)
    assert (presence * weights).sum() == pytest.approx(weights[tumor].sum(), abs=0.02)


def test_a_tumor_of_unknown_kind_counts_for_its_presence_alone(overconfident):
    labels = ["tumor" if row.true_label == "glioma" else row.true_label for row in overconfident.rows]
    partial = outputs(overconfident.logits, labels)
    assert fit_tumor(partial, temperature=2.0) == pytest.approx(fit_tumor(overconfident, temperature=2.0))
    assert fit_thresholds(partial, calibration=Calibration(2.0), official=False)["threshold"] <= 1


def test_a_perfect_network_does_not_break_the_fit(sure):
    fitted = fit_calibration(sure, official=False)
    assert np.isfinite(list(fitted.values())).all()
    assert fitted["tumor_slope"] > 0


def test_no_source_rules():
    big = [row("glioma", source="big") for _ in range(90)]
    rows = (*big, row("notumor", source="big"), row("glioma", source="one"))
    weights = source_weights(rows)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == pytest.approx(0.5)
    assert weights[90] == pytest.approx(weights[:90].sum()) == pytest.approx(0.25)


def test_what_is_answered_is_right_often_enough(overconfident):
    fitted = fit_thresholds(overconfident, calibration=Calibration(2.0), official=False)
    assert fitted["selective_accuracy"] >= 0.93
    assert fitted["missed"] <= fitted["target_missed"] + 0.001  # Thresholds are rounded.
    assert 0 < fitted["coverage"] < 1
    assert fitted["threshold"] > 0.5


def test_a_network_that_is_always_right_answers_everything(sure):
    fitted = fit_thresholds(sure, calibration=Calibration(), official=False)
    assert (fitted["coverage"], fitted["missed"], fitted["notumor_threshold"]) == (1.0, 0.0, 0.5)


def test_a_weighted_quantile_leaves_at_most_the_rest_above():
    assert weighted_quantile([1, 2, 3, 4], [1, 1, 1, 1], share=0.75) == 3
    assert weighted_quantile([1, 2, 3, 4], [1, 1, 1, 97], share=0.5) == 4


def test_the_true_finding_is_among_the_possible_ones_as_often_as_promised(overconfident):
    half = len(overconfident) // 2
    first = overconfident.take(range(half))
    second = overconfident.take(range(half, len(overconfident)))
    fitted = fit_possible(first, calibration=Calibration(2.0), official=False)
    thresholds = np.array([fitted["thresholds"][name] for name in FINDINGS])
    assert (thresholds <= 0.1).all()
    p, labels = probabilities(second.logits, temperature=2.0), second.labels(official=False)
    for finding in range(4):
        own = p[labels == finding, finding]
        assert (own >= thresholds[finding]).mean() >= 0.93


def test_a_finding_with_few_images_is_never_ruled_out(sure):
    assert set(fit_possible(sure, calibration=Calibration(), official=False)["thresholds"].values()) == {0.0}
