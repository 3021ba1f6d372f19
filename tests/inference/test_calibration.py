import numpy as np
import pytest

from classifier.inference.calibration import display_percent, probabilities


def test_probabilities_sum_to_one_for_any_shape():
    logits = np.random.default_rng(0).normal(size=(5, 2, 4)) * 50
    p = probabilities(logits, temperature=0.7)
    assert p.shape == logits.shape
    assert p.sum(axis=-1) == pytest.approx(1, abs=1e-6)


def test_a_higher_temperature_is_more_cautious_and_keeps_the_order():
    logits = np.array([3.0, 1.0, 0.0, -1.0])
    cold, warm = probabilities(logits, temperature=1.0), probabilities(logits, temperature=3.0)
    assert warm.max() < cold.max()
    assert (warm.argsort() == cold.argsort()).all()


def test_huge_logits_do_not_overflow():
    assert probabilities([1e4, 0, 0, -1e4], temperature=0.1) == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize(("logits", "temperature"), [([0, 0, 0, 0], 0.0), ([np.nan, 0, 0, 0], 1.0)])
def test_nonsense_is_an_error(logits, temperature):
    with pytest.raises(ValueError, match="Received"):
        probabilities(logits, temperature=temperature)


@pytest.mark.parametrize(("p", "percent"), [(0.0, 1), (0.004, 1), (0.914, 91), (0.999, 99), (1.0, 99)])
def test_people_never_read_zero_or_a_hundred(p, percent):
    assert display_percent(p) == percent
