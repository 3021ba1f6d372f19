import numpy as np

from classifier.inference.appearance import FEATURES, describe
from classifier.training.lowlevel import control


def test_brightness_alone_tells_bright_from_dark_images():
    rng = np.random.default_rng(0)
    bright = rng.random(80) < 0.5
    pixels = np.clip(rng.normal(np.where(bright, 150, 90)[:, None, None], 25, (80, 32, 32)), 0, 255).astype(np.uint8)
    described = describe(pixels.astype(np.float32) / 255)
    assert described.shape == (80, len(FEATURES))
    scores = control(described[:50], bright[:50], described[50:], bright[50:])
    assert scores["auroc"] > 0.95


def test_it_learns_nothing_where_there_is_nothing():
    rng = np.random.default_rng(1)
    described = rng.normal(size=(400, len(FEATURES))).astype(np.float32)
    wanted = rng.random(400) < 0.5
    scores = control(described[:200], wanted[:200], described[200:], wanted[200:])
    assert abs(scores["auroc"] - 0.5) < 0.15
