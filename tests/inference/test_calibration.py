import numpy as np
import pytest

from classifier.inference.calibration import Calibration, probabilities, tumor_probability


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


def test_slope_one_and_offset_zero_are_the_plain_softmax():
    logits = np.random.default_rng(1).normal(size=(50, 4)) * 4
    exponentials = np.exp(logits / 1.7)
    assert Calibration(1.7).probabilities(logits) == pytest.approx(
        exponentials / exponentials.sum(axis=1, keepdims=True), abs=1e-6
    )


def test_the_offset_moves_the_tumor_and_leaves_the_kinds_in_proportion():
    logits = np.array([2.0, 1.0, 1.5, -1.0])
    plain, moved = Calibration().probabilities(logits), Calibration(tumor_offset=2.0).probabilities(logits)
    assert tumor_probability(moved) > tumor_probability(plain)
    assert moved[0] / moved[1] == pytest.approx(plain[0] / plain[1], rel=1e-5)
    assert moved.sum() == pytest.approx(1, abs=1e-6)


def test_a_small_slope_is_less_certain():
    logits = [8.0, 0.0, 0.0, 0.0]
    assert tumor_probability(Calibration(tumor_slope=0.3).probabilities(logits)) < tumor_probability(
        Calibration().probabilities(logits)
    )


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"tumor_slope": -1}, {"tumor_offset": float("nan")}])
def test_a_calibration_that_means_nothing_is_an_error(wrong):
    with pytest.raises(ValueError, match="Received"):
        Calibration(**wrong)


@pytest.mark.parametrize(("logits", "temperature"), [([0, 0, 0, 0], 0.0), ([np.nan, 0, 0, 0], 1.0)])
def test_nonsense_is_an_error(logits, temperature):
    with pytest.raises(ValueError, match="Received"):
        probabilities(logits, temperature=temperature)
