"""Training the network that finds text and markings."""

import random
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from classifier.inspection.checks import MARK_CELLS
from classifier.inspection.convolution import ConvolutionalNetwork
from classifier.inspection.outside import SIDE
from classifier.training.inspection_arrays import arrays_of
from classifier.training.inspection_draws import KINDS, marked
from classifier.training.inspection_marks import draw, fit_mark_network, mark_network
from tests.training.random_weights import set_random_weights

FONTS = (Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"),)


def head(*, height: int = 200, width: int = 160) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(rows**2 + columns**2 < 0.4, 120, 0).astype(np.uint8)


def test_the_stored_arrays_compute_what_keras_computes(tmp_path):
    model = mark_network()
    rng = np.random.default_rng(1)
    set_random_weights(model, rng)
    np.savez(tmp_path / "networks.npz", **arrays_of(model, name="mark"))
    network = ConvolutionalNetwork.load(tmp_path / "networks.npz", name="mark")
    image = rng.random((SIDE, SIDE)).astype(np.float32)
    expected = np.asarray(model(image[None, ..., None], training=False))[0]
    assert expected.shape == (MARK_CELLS, MARK_CELLS, 1)
    assert np.allclose(network.at_places(image), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_the_pixels_of_its_mask(kind):
    image = head()
    found = [marked(image, chance=random.Random(seed), fonts=FONTS, kind=kind) for seed in range(8)]
    for drawn in found:
        assert drawn.image.shape == drawn.mask.shape == image.shape
        assert (drawn.image[drawn.mask] != image[drawn.mask]).all()
    assert sum(drawn.mask.any() for drawn in found) >= 6


def test_labels_lie_where_something_was_drawn():
    chance = random.Random(3)
    drawn = [draw(head(), chance=chance, fonts=FONTS) for _ in range(40)]
    for inputs, labels, counted in drawn:
        assert inputs.shape == (SIDE, SIDE)
        assert labels.shape == counted.shape == (MARK_CELLS, MARK_CELLS)
        assert set(np.unique(labels)) <= {0.0, 1.0}
        assert (counted[labels > 0] == 1).all()
    shares = [labels.any() for _, labels, _ in drawn]
    assert 0.3 < np.mean(shares) < 0.9


def test_images_that_bear_text_teach_nothing(tmp_path):
    """The only image without text is the one that is drawn into; with none left, training stops."""
    written = head(height=256, width=256)
    written[8:16, 8:80:3] = 255
    lines = []
    arrays = fit_mark_network([written, head()], fonts=FONTS, steps=1, log=lines.append)
    assert arrays["mark.weights.4"].shape == (64, 1)
    with pytest.raises(ValueError, match="without text"):
        fit_mark_network([written], fonts=FONTS, steps=1)
