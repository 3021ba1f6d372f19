import numpy as np
import pytest
from keras import ops

from classifier.inference.network import HEAD, blocks_of, build_network
from classifier.training.layerwise_lr import LayerwiseLearningRates


@pytest.fixture(scope="module")
def network():
    return build_network("xception")


def weights_of(network, prefix):
    layer = next(layer for layer, _ in blocks_of(network) if layer.name.startswith(prefix))
    return layer.trainable_variables[0]


def test_each_block_moves_less_than_the_one_behind_it(network):
    first, last = weights_of(network, "block4_sepconv1_bn"), weights_of(network, "block14_sepconv2_bn")
    head = network.get_layer(HEAD).trainable_variables[1]
    before = [ops.convert_to_numpy(variable.value).copy() for variable in (first, last, head)]
    with LayerwiseLearningRates(network, decay=0.5).applied():
        for variable in (first, last, head):
            variable.assign_add(np.ones(variable.shape, np.float32))
    moved = [ops.convert_to_numpy(v.value) - old for v, old in zip((first, last, head), before, strict=True)]
    assert [float(each.mean()) for each in moved] == pytest.approx([0.5**11, 0.5, 1.0], rel=1e-3)


def test_without_decay_nothing_is_held_back(network):
    variable = weights_of(network, "block4_sepconv1_bn")
    before = ops.convert_to_numpy(variable.value).copy()
    with LayerwiseLearningRates(network, decay=1.0).applied():
        variable.assign_add(np.ones(variable.shape, np.float32))
    assert ops.convert_to_numpy(variable.value) == pytest.approx(before + 1)


def test_blocks_are_counted_from_one_to_fourteen(network):
    numbers = [block for _, block in blocks_of(network)]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(1, 15))
    for layer, block in blocks_of(network):
        if layer.name.startswith("block"):
            assert layer.name.split("_")[0] == f"block{block}"
