import numpy as np
import pytest
from PIL import Image

from classifier.training.augment import Augmentation, bias_field, equalise, monotone_curve

STILL = Augmentation(
    mirror=0, rotation=0, scale=0, shift=0, contrast=0, bias=0, equalise=0, resolution=0, blur=0, noise=0, jpeg=0
)


@pytest.fixture
def picture():
    ramp = np.linspace(0, 255, 120 * 120).reshape(120, 120)
    return ramp.astype(np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_nothing_is_changed_when_everything_is_off(picture):
    result, _ = STILL(picture, size=120, rng=rng())
    assert (result == picture).all()


def test_mirroring_is_exact(picture):
    mirrored = Augmentation(**{name: getattr(STILL, name) for name in STILL.__slots__} | {"mirror": 1.0})
    result, _ = mirrored(picture, size=120, rng=rng())
    assert (result == picture[:, ::-1]).all()


def test_a_seed_repeats_an_image(picture):
    first, second = (Augmentation()(picture, size=64, rng=rng(4))[0] for _ in range(2))
    other = Augmentation()(picture, size=64, rng=rng(5))[0]
    assert (first == second).all()
    assert (first != other).any()


@pytest.mark.parametrize("size", [64, 224, 299])
def test_results_have_the_size_asked_for(picture, size):
    for seed in range(8):
        result, _ = Augmentation()(picture, size=size, rng=rng(seed))
        assert result.shape == (size, size)
        assert result.dtype == np.uint8


def test_a_mask_moves_with_its_image():
    dot = np.zeros((120, 120), np.uint8)
    dot[28:36, 80:88] = 255
    shaken = Augmentation(contrast=0, bias=0, equalise=0, resolution=0, blur=0, noise=0, jpeg=0)
    for seed in range(10):
        image, warp = shaken(dot, size=96, rng=rng(seed))
        moved = np.asarray(warp.apply(Image.fromarray(dot), method=Image.Resampling.BICUBIC))
        assert (image == moved).all()


def test_intensity_curves_rise_and_stay_in_range():
    ramp = np.linspace(0, 1, 50, dtype=np.float32)
    for seed in range(20):
        curved = monotone_curve(ramp, rng=rng(seed))
        assert (np.diff(curved) >= -1e-6).all()
        assert curved.min() >= 0
        assert curved.max() <= 1


def test_bias_fields_are_smooth():
    field = bias_field(64, rng=rng())
    assert np.abs(np.diff(field, axis=0)).max() < 0.1


def test_equalising_spares_the_background_and_small_heads():
    pixels = np.zeros((20, 20), np.float32)
    assert (equalise(pixels) == 0).all()
    pixels[5:15, 5:15] = rng().uniform(0.2, 0.4, (10, 10))
    result = equalise(pixels)
    assert result[0, 0] == 0
    assert result.max() > 0.9
