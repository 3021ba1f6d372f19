import numpy as np
import pytest
from PIL import Image

from classifier.inference.preprocessing import Preprocessing, preprocess, preprocess_batch, resize


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (299, 299), (512, 512), (300, 700)])
def test_every_size_becomes_the_networks_input(shape):
    result = preprocess(np.full(shape, 200, np.uint8))
    assert result.shape == (299, 299, 3)
    assert result.dtype == np.float32
    assert result == pytest.approx(200 / 127.5 - 1, abs=1e-6)


def test_black_and_white_are_the_ends_of_the_range():
    picture = np.zeros((299, 299), np.uint8)
    picture[0, 0] = 255
    result = preprocess(picture)
    assert result.min() == -1.0
    assert result.max() == 1.0


def test_resizing_is_that_of_training(gray):
    expected = np.asarray(Image.fromarray(gray).resize((299, 299), Image.Resampling.BICUBIC), np.float32)
    assert np.allclose(preprocess(gray)[..., 1], expected / 127.5 - 1, atol=1e-6)


def test_shrinking_does_not_alias():
    stripes = np.zeros((900, 900), np.uint8)
    stripes[:, ::2] = 255
    assert resize(stripes, size=100).std() < 5


def test_a_card_can_ask_for_another_input(gray):
    parameters = Preprocessing(size=64, channels=1, low=0.0, high=1.0, resize="bilinear")
    result = preprocess_batch([gray, gray], parameters=parameters)
    assert result.shape == (2, 64, 64, 1)
    assert 0.0 <= result.min() <= result.max() <= 1.0


@pytest.mark.parametrize(
    "wrong", [np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.float32), np.zeros((0, 5), np.uint8)]
)
def test_other_arrays_are_an_error(wrong):
    with pytest.raises(ValueError, match="Received"):
        preprocess(wrong)


def test_an_unknown_resize_method_is_an_error():
    with pytest.raises(ValueError, match="Received"):
        Preprocessing(resize="nearest")
