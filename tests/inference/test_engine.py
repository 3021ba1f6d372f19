import h5py
import numpy as np
import pytest

from classifier.inference.engines import load_engine
from classifier.inference.engines.keras import KerasEngine
from classifier.inference.network import build_network, freeze_blocks
from classifier.inference.registry import ModelError, load_card


def batch(count):
    return np.random.default_rng(1).uniform(-1, 1, (count, 299, 299, 3)).astype(np.float32)


def test_one_pass_gives_three_outputs(tiny):
    output = tiny.engine.predict(batch(3))
    assert output.logits.shape == (3, 4)
    assert output.features.shape == (3, 16)
    assert output.class_maps.shape == (3, 10, 10, 4)
    assert all(array.dtype == np.float32 for array in output)


def test_logits_are_the_mean_of_their_class_maps(tiny):
    output = tiny.engine.predict(batch(2))
    assert output.class_maps.mean(axis=(1, 2)) == pytest.approx(output.logits, abs=1e-5)


def test_the_traced_function_equals_the_network(tiny):
    network = build_network("tiny")
    network.load_weights(tiny.card.weights.path)
    inputs = batch(2)
    assert tiny.engine.predict(inputs).logits == pytest.approx(network.predict_on_batch(inputs), abs=1e-5)


def test_an_image_does_not_depend_on_its_batch(tiny):
    inputs = batch(4)
    together = tiny.engine.predict(inputs).logits
    alone = np.concatenate([tiny.engine.predict(inputs[i : i + 1]).logits for i in range(4)])
    assert together == pytest.approx(alone, abs=1e-5)


def test_an_unknown_engine_is_an_error(tiny_folder):
    with pytest.raises(ModelError, match="Received: 'abacus'"):
        load_engine(tiny_folder, engine="abacus")


def test_weights_of_another_network_are_an_error(own_tiny_folder):
    with h5py.File(own_tiny_folder / "tiny.weights.h5", "r+") as stream:
        del stream["layers/dense/vars/0"]
    with pytest.raises(ModelError, match="does not fit the network"):
        KerasEngine(load_card(own_tiny_folder, verify=False))


def test_weights_without_the_backbone_are_an_error(own_tiny_folder):
    with h5py.File(own_tiny_folder / "tiny.weights.h5", "r+") as stream:
        del stream["layers/functional"]
    with pytest.raises(ModelError, match="does not fit the network"):
        KerasEngine(load_card(own_tiny_folder, verify=False))


def test_freezing_counts_blocks_by_their_additions():
    network = build_network("xception")
    assert freeze_blocks(network, blocks=0) == 0
    freeze_blocks(network, blocks=3)
    backbone = next(layer for layer in network.layers if layer.name == "xception")
    trainable = {layer.name.split("_")[0] for layer in backbone.layers if layer.trainable}
    assert {"block1", "block2", "block3"}.isdisjoint(trainable)
    assert {"block4", "block14"} <= trainable


@pytest.mark.real_weights
def test_the_shipped_class_maps_are_exact(shipped):
    size = shipped.card.preprocessing.size
    inputs = np.random.default_rng(1).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    output = shipped.engine.predict(inputs)
    cells = -(-size // 32)
    assert output.features.shape == (1, 2048)
    assert output.class_maps.shape == (1, cells, cells, 4)
    assert output.class_maps.mean(axis=(1, 2)) == pytest.approx(output.logits, abs=1e-3)
