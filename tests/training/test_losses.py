import numpy as np
import pytest
from keras import ops

from classifier.training.losses import lesion_loss, location_loss, partial_label_loss

LOGITS = np.log(np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.1, 0.7, 0.1]], np.float32))


def value(loss, wanted, given):
    return ops.convert_to_numpy(loss(np.asarray(wanted, np.float32), given))


def test_a_full_label_costs_its_cross_entropy():
    loss = value(partial_label_loss(0.0), [[[1, 0, 0, 0]], [[0, 0, 1, 0]]], LOGITS)
    assert loss == pytest.approx([-np.log(0.5), -np.log(0.7)], abs=1e-5)


def test_a_partial_label_costs_the_summed_probability():
    loss = value(partial_label_loss(0.0), [[[1, 1, 0, 1]]] * 2, LOGITS)
    assert loss == pytest.approx([-np.log(0.8), -np.log(0.3)], abs=1e-5)


def test_smoothing_adds_the_uniform_part():
    loss = value(partial_label_loss(0.1), [[[1, 0, 0, 0]]], LOGITS[:1])
    assert loss == pytest.approx(-0.9 * np.log(0.5) - 0.1 * LOGITS[0].mean(), abs=1e-5)


def test_a_mixture_costs_what_its_images_cost_by_their_shares():
    mixture = [[[0.75, 0, 0, 0], [0.25, 0.25, 0, 0.25]]]
    loss = value(partial_label_loss(0.0), mixture, LOGITS[:1])
    assert loss == pytest.approx([-0.75 * np.log(0.5) - 0.25 * np.log(0.8)], abs=1e-5)


def test_an_image_with_no_share_costs_nothing():
    loss = value(partial_label_loss(0.0), [[[1, 0, 0, 0], [0, 0, 0, 0]]], LOGITS[:1])
    assert loss == pytest.approx([-np.log(0.5)], abs=1e-5)


def test_evidence_in_the_right_place_costs_less():
    places = np.zeros((2, 5, 5, 4), np.float32)
    places[:, 1, 2, 0] = 1
    maps = np.zeros((2, 5, 5, 4), np.float32)
    maps[0, 1, 2, 0] = 30
    maps[1, 4, 4, 0] = 30
    right, wrong = value(location_loss(0.5), places, maps)
    assert right < 0.01
    assert wrong > 5


def test_images_without_a_box_cost_nothing_for_their_place():
    assert value(location_loss(0.5), np.zeros((1, 5, 5, 4)), np.ones((1, 5, 5, 4), np.float32)) == pytest.approx([0])


def test_a_lesion_costs_its_cross_entropy_at_known_places():
    logits = np.array([0.0, 2.0, -3.0, 9.0], np.float32).reshape(1, 2, 2, 1)
    lesion = np.array([1.0, 0.0, 0.0, -1.0], np.float32).reshape(1, 2, 2, 1)
    expected = (2 * np.log(2) + np.log1p(np.exp(2)) + np.log1p(np.exp(-3))) / 3
    assert value(lesion_loss(2.0), lesion, logits) == pytest.approx([expected], abs=1e-5)


def test_an_image_of_unknown_lesion_costs_nothing():
    assert value(lesion_loss(), np.full((1, 2, 2, 1), -1.0), np.full((1, 2, 2, 1), 50.0, np.float32)) == 0
