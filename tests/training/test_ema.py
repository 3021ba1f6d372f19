"""The moving average of weights: what it follows, and that it never stays in the network."""

import keras
import numpy as np
import pytest

from classifier.training.ema import ExponentialMovingAverage


@pytest.fixture
def variable():
    return keras.Variable(np.zeros(3, np.float32))


def test_it_follows_the_weights_from_a_distance(variable):
    average = ExponentialMovingAverage([variable], momentum=0.9, every=1)
    for step in range(1, 400):
        variable.assign(np.full(3, 1.0 if step > 200 else 0.0, np.float32))
        average.update(step)
        if step == 205:
            assert 0.3 < average.values[0][0] < 0.6
    assert average.values[0] == pytest.approx(np.ones(3), abs=1e-6)


def test_rare_updates_decay_as_fast_as_frequent_ones(variable):
    each, fourth = (ExponentialMovingAverage([variable], momentum=0.99, every=every) for every in (1, 4))
    variable.assign(np.ones(3, np.float32))
    for step in range(1000, 1101):
        each.update(step)
        fourth.update(step)
    assert fourth.values[0] == pytest.approx(each.values[0], abs=0.02)


def test_the_trained_weights_come_back(variable):
    average = ExponentialMovingAverage([variable], momentum=0.5, every=1)
    variable.assign(np.full(3, 8.0, np.float32))
    with average.applied():
        assert np.asarray(variable.value) == pytest.approx(np.zeros(3))
    assert np.asarray(variable.value) == pytest.approx(np.full(3, 8.0))


def test_without_momentum_the_weights_themselves_count(variable):
    average = ExponentialMovingAverage([variable], momentum=0.0)
    variable.assign(np.full(3, 8.0, np.float32))
    average.update(4)
    with average.applied():
        assert np.asarray(variable.value) == pytest.approx(np.full(3, 8.0))
