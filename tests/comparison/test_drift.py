"""Drift of the input against the training images."""

import numpy as np
import pytest

from classifier.comparison.drift import deviations_of, shifts, shifts_from
from classifier.inference.appearance import FEATURES
from classifier.inference.ood import Statistics


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(5000, len(FEATURES))) @ rng.normal(size=(len(FEATURES), len(FEATURES)))
    return (mixed * np.linspace(0.01, 2, len(FEATURES)) + 1).astype(np.float32)


@pytest.fixture(scope="module")
def statistics(training) -> Statistics:
    features = np.random.default_rng(1).random((50, 8)).astype(np.float32)
    return Statistics.fit(features, training, axes=2)


def test_the_spread_of_the_training_images_is_recovered(training, statistics):
    assert deviations_of(statistics) == pytest.approx(training.std(axis=0), rel=0.01)


def test_the_training_images_do_not_drift(training, statistics):
    assert max(abs(shift.deviations) for shift in shifts(training, statistics)) < 0.01


def test_a_brighter_scanner_shows_first(training, statistics):
    place = FEATURES.index("mean")
    moved = training.copy()
    moved[:, place] += 3 * training[:, place].std()
    first, *others = shifts(moved, statistics)
    assert first.feature == "mean"
    assert first.deviations == pytest.approx(3, rel=0.02)
    assert all(abs(shift.deviations) < 0.01 for shift in others)


def test_a_statistic_that_never_varied_has_no_shift():
    spread = np.ones(len(FEATURES))
    spread[0] = 0.0
    found = shifts_from(np.full((2, len(FEATURES)), 3.0), mean=np.ones(len(FEATURES)), spread=spread)
    assert [shift.deviations for shift in found] == [2.0] * (len(FEATURES) - 1)
    assert FEATURES[0] not in {shift.feature for shift in found}
