from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from classifier.training.augment import AUGMENTATIONS, Augmentation, bias_field, contrast_curve, equalize

STILL = Augmentation(**dict.fromkeys(Augmentation.__slots__, 0.0))


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
    shaken = Augmentation(contrast=0, bias=0, equalize=0, resolution=0, blur=0, noise=0, jpeg=0)
    for seed in range(10):
        image, warp = shaken(dot, size=96, rng=rng(seed))
        moved = np.asarray(warp.apply(Image.fromarray(dot), method=Image.Resampling.BICUBIC))
        assert (image == moved).all()


def head(*, dark=False):
    pixels = np.zeros((80, 80), np.uint8)
    pixels[10:70, 10:70] = np.linspace(20, 60 if dark else 220, 60, dtype=np.uint8)
    return pixels


@pytest.mark.parametrize("dark", [True, False])
def test_a_rising_curve_rises_and_keeps_the_background_black(dark):
    for seed in range(20):
        table = contrast_curve(head(dark=dark), rng=rng(seed), monotone=True).astype(int)
        assert table[0] == 0
        assert (np.diff(table[20:61]) >= 0).all()


def test_a_dark_head_is_stretched_to_the_full_range():
    curves = [contrast_curve(head(dark=True), rng=rng(seed), monotone=True) for seed in range(20)]
    assert min(np.ptp(curve[20:61].astype(int)) for curve in curves) > 100


def test_curves_that_need_not_rise_keep_neighboring_tissue_apart():
    falls = 0
    for seed in range(20):
        pixels = head()
        table = contrast_curve(pixels, rng=rng(seed), monotone=False).astype(int)
        knots = np.quantile(pixels[pixels > 12], (0.1, 0.3, 0.5, 0.7, 0.9)).astype(int)
        falls += bool((np.diff(table[knots]) < 0).any())
        assert np.ptp(table[knots]) > 20
    assert falls > 10


def test_an_empty_picture_has_no_curve():
    assert (contrast_curve(np.zeros((20, 20), np.uint8), rng=rng(), monotone=True) == np.arange(256)).all()


def test_bias_fields_are_smooth():
    field = bias_field(64, rng=rng())
    assert np.abs(np.diff(field, axis=0)).max() < 0.1


def test_equalising_spares_the_background_and_small_heads():
    pixels = np.zeros((20, 20), np.float32)
    assert (equalize(pixels) == 0).all()
    pixels[5:15, 5:15] = rng().uniform(0.2, 0.4, (10, 10))
    result = equalize(pixels)
    assert result[0, 0] == 0
    assert result.max() > 0.9


def test_mild_augmentation_stays_closer_to_the_image(picture):
    still = {"mirror": 0.0, "rotation": 0.0, "scale": 0.0, "shift": 0.0, "quarter": 0.0}

    def change(name):
        augmentation = replace(AUGMENTATIONS[name], **still)
        images = [augmentation(picture, size=120, rng=rng(seed))[0] for seed in range(40)]
        return np.mean([np.abs(image.astype(float) - picture) for image in images])

    assert 0 < change("mild") < 0.5 * change("full")
