import numpy as np
import pytest

from classifier.inference.architectures import find_architecture
from classifier.inference.architectures.compact_cnn import SIZE, Layer, cost, plan
from classifier.inference.architectures.efficientnet_lite import SPECS, blocks
from classifier.inference.network import (
    backbone_of,
    blocks_of,
    build_network,
    freeze_blocks,
    map_side,
    with_training_outputs,
)
from classifier.training.network_cost import network_cost

NAMES = ("compact-cnn", "efficientnet-lite0", "mobilenetv2", "tiny")


@pytest.fixture(scope="module")
def networks():
    return {name: build_network(name) for name in NAMES}


def image_for(name, *, size=64, count=1):
    parameters = find_architecture(name).preprocessing()
    shape = (count, size, size, parameters.channels)
    return np.random.default_rng(1).uniform(parameters.low, parameters.high, shape).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_class_maps_are_exact_and_features_are_their_mean(networks, name):
    logits, maps, lesions = with_training_outputs(networks[name]).predict_on_batch(image_for(name))
    side = map_side(networks[name], size=64)
    assert maps.shape == (1, side, side, 4)
    assert lesions.shape == (1, side, side, 1)
    assert maps.mean(axis=(1, 2)) == pytest.approx(logits, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_freezing_a_block_leaves_the_ones_behind_it_free(networks, name):
    numbers = [block for _, block in blocks_of(networks[name])]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, numbers[-1] + 1))
    freeze_blocks(networks[name], blocks=1)
    frozen = {block for layer, block in blocks_of(networks[name]) if not layer.trainable}
    backbone_of(networks[name]).trainable = True
    assert frozen == {1}


def test_names_of_keras_are_found_in_any_spelling():
    assert find_architecture("ResNet50V2").name == find_architecture("resnet50-v2").name == "resnet50v2"


def test_the_value_range_is_that_of_the_networks_own_preprocessing():
    assert (find_architecture("MobileNetV2").low, find_architecture("MobileNetV2").high) == (-1.0, 1.0)
    # EfficientNet scales its input itself.
    assert (find_architecture("EfficientNetB0").low, find_architecture("EfficientNetB0").high) == (0.0, 255.0)


def test_an_unknown_architecture_is_named():
    with pytest.raises(ValueError, match="Received: 'abacus'"):
        find_architecture("abacus")


def test_maps_of_a_network_without_padding_are_counted_as_they_are():
    network = build_network("inceptionv3")
    assert map_side(network, size=299) == 8


def test_the_compact_network_costs_what_was_counted_by_hand():
    # stem_conv1 at 224: 3x3 kernel, 1 channel to 16. block2 is the first of 56x56: 32 channels widened to 64, then
    # 64 to 32, 3x3 of 32, 32 to 64. Each output channel has a gain and a bias.
    layers = {layer.name: layer for layer in plan(224)}
    assert layers["stem_conv1"].multiply_adds == 224 * 224 * 9 * 16 == 7_225_344
    assert layers["stem_conv1"].parameters == 9 * 16 + 16 + 16 == 176
    assert layers["block2_widen"] == Layer("block2_widen", 56, 1, 1, 32, 64)
    block = [layers[f"block2_conv{index}"] for index in (1, 2, 3)]
    assert sum(layer.multiply_adds for layer in block) == 56 * 56 * (64 * 32 + 9 * 32 * 32 + 32 * 64) == 41_746_432
    assert sum(layer.parameters for layer in block) == 2048 + 64 + 9216 + 64 + 2048 + 128


def test_the_receptive_field_of_the_stem_is_what_was_counted_by_hand():
    # 3 (conv), 5 (blur), 9 (conv, two pixels a step).
    field, stride = 1, 1
    for layer in list(plan(224))[:3]:
        field, stride = field + (layer.kernel - 1) * stride, stride * layer.stride
    assert (field, stride) == (9, 2)
    assert cost()["receptive_field"] >= SIZE
    assert cost()["stride"] == 16


def test_the_compact_network_keeps_to_its_limits(networks):
    counted = network_cost("compact-cnn", size=SIZE)
    head = 256 * 4
    assert counted["multiply_adds"] == cost()["multiply_adds"] + head <= 600_000_000
    assert counted["parameters"] == cost()["parameters"] + head + 4 <= 2_000_000
    assert networks["compact-cnn"].count_params() == counted["parameters"]


def test_the_compact_network_ignores_brightness_and_contrast(networks):
    image = image_for("compact-cnn")
    networks["compact-cnn"].get_layer("compact-cnn").get_layer("block10_conv3").gain.assign(np.ones(256))
    first, second = networks["compact-cnn"].predict_on_batch(np.concatenate([image, 0.4 * image + 0.3]))
    assert first == pytest.approx(second, abs=1e-2)


@pytest.mark.parametrize(("name", "count", "last"), [("efficientnet-lite0", 16, 320), ("efficientnet-lite2", 21, 352)])
def test_the_variants_have_the_blocks_of_the_original(name, count, last):
    made = blocks(SPECS[name])
    assert len(made) == count
    assert (made[0].inputs, made[0].expansion, made[-1].outputs) == (32, 1, last)


def test_statistics_are_learned_in_free_blocks_only():
    network = build_network("efficientnet-lite0")
    freeze_blocks(network, blocks=1)
    network(image_for("efficientnet-lite0", size=32, count=2), training=True)
    means = {
        name: np.asarray(backbone_of(network).get_layer(name).moving_mean)
        for name in ("stem_conv_bn", "block2_depthwise_bn")
    }
    assert np.all(means["stem_conv_bn"] == 0)
    assert np.any(means["block2_depthwise_bn"] != 0)
