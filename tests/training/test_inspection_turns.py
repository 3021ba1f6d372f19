"""Training the network that recognizes turned heads."""

import numpy as np

from classifier.inspection.convolution import ConvolutionalNetwork
from classifier.training.inspection_arrays import arrays_of
from classifier.training.inspection_turns import BATCH, draw, fit_turn_network, turn_network
from tests.training.random_weights import set_random_weights

SIDE = 16


def heads(number: int) -> list[np.ndarray]:
    """Ellipses with a bright upper half: upright by construction."""
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    inside = (rows / 0.8) ** 2 + (columns / 0.6) ** 2 < 1
    image = np.where(inside, np.where(rows < 0, 220, 90), 0).astype(np.uint8)
    return [image] * number


def test_the_stored_arrays_compute_what_keras_computes(tmp_path):
    model = turn_network(side=SIDE)
    rng = np.random.default_rng(1)
    set_random_weights(model, rng)
    np.savez(tmp_path / "networks.npz", **arrays_of(model, name="turn"))
    network = ConvolutionalNetwork.load(tmp_path / "networks.npz", name="turn")
    for image in rng.random((3, SIDE, SIDE)).astype(np.float32):
        expected = np.asarray(model(image[None, ..., None], training=False))[0]
        assert np.allclose(network(image), expected, rtol=1e-4, atol=1e-3)


def test_a_batch_has_as_many_heads_of_each_turn():
    generator = np.random.default_rng(2)
    images = np.ones((5, 20, 20), np.float16)
    inputs, kinds = draw(images, side=SIDE, generator=generator)
    assert inputs.shape == (BATCH, SIDE, SIDE, 1)
    assert inputs.dtype == np.float32
    assert np.bincount(kinds).tolist() == [BATCH // 4] * 4


def test_turned_heads_are_told_apart_after_some_steps(tmp_path):
    lines = []
    arrays = fit_turn_network(heads(4), side=SIDE, steps=200, log=lines.append)
    np.savez(tmp_path / "networks.npz", **arrays)
    network = ConvolutionalNetwork.load(tmp_path / "networks.npz", name="turn")
    generator = np.random.default_rng(3)
    inputs, kinds = draw(np.stack(heads(1)).astype(np.float16)[:, ::3, ::3] / 220, side=SIDE, generator=generator)
    found = np.array([network(image[..., 0]).argmax() for image in inputs])
    assert (found == kinds).mean() > 0.8
    assert len(lines) == 1
