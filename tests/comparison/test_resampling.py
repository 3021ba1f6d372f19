"""Intervals by patient: right on average, wider than by image, and the same as a slow computation's."""

import numpy as np
import pytest

from classifier.comparison.resampling import Resampling, interval
from classifier.training import metrics

GROUPS = [f"p{index // 4}" for index in range(80)]


def slow_area(draws: Resampling, scores, positive) -> list[float]:
    """Repeat every image as often as a draw holds its patient."""
    areas = []
    for counts in draws.counts:
        index = np.repeat(np.arange(len(scores)), counts[draws.index].astype(int))
        areas.append(metrics.auroc(scores[index][positive[index]], scores[index][~positive[index]]))
    return areas


def test_areas_are_those_of_the_repeated_images():
    rng = np.random.default_rng(1)
    positive = np.arange(80) % 3 == 0
    scores = np.round(rng.random(80) + 0.3 * positive, 1)
    draws = Resampling(GROUPS, draws=40)
    assert draws.area(scores, positive) == pytest.approx(slow_area(draws, scores, positive))


def test_means_are_those_of_the_repeated_images():
    rng = np.random.default_rng(2)
    values, keep = rng.random(80), np.arange(80) < 60
    draws = Resampling(GROUPS, draws=40)
    expected = [np.average(values[keep], weights=counts[draws.index][keep]) for counts in draws.counts]
    assert draws.mean(values, keep) == pytest.approx(expected)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Patients differ, so intervals by image would hold the truth far less often."""
    rng = np.random.default_rng(3)
    held = 0
    for trial in range(200):
        rates = rng.beta(7, 3, 60)
        hits = rng.random((60, 10)) < rates[:, None]
        draws = Resampling([f"p{i // 10}" for i in range(600)], draws=300, seed=trial)
        low, high = interval(draws.mean(hits.ravel().astype(float), np.ones(600, bool)))
        held += low <= 0.7 <= high
    assert held >= 180


def test_a_single_patient_has_no_spread():
    draws = Resampling(["p"] * 5)
    low, high = interval(draws.mean(np.array([1.0, 0, 1, 1, 0]), np.ones(5, bool)))
    assert low == high == pytest.approx(0.6)


def test_draws_without_a_tumor_do_not_count():
    draws = Resampling(["a", "b"], draws=200)
    area = draws.area(np.array([0.9, 0.1]), np.array([True, False]))
    assert np.isnan(area).any()
    assert interval(area) == (1.0, 1.0)


def test_nothing_cannot_be_resampled():
    with pytest.raises(ValueError, match="no groups"):
        Resampling([])
