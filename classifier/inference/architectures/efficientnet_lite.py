"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, made for processors.

After Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), and the Lite
variants of Liu and others (2020). Layer names follow one scheme, which `classifier.training.lite_weights` relies on.
"""

import math
from dataclasses import dataclass
from typing import Any

SIZE = 224
STEM, TOP = 32, 1280
"""Channels of the stem and of the last convolution; the Lite variants do not scale them."""
EPSILON = 1e-3
"""Added to the variance by batch normalization in the original."""
DIVISOR = 8

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel side, stride, expansion, and channels of each stage of Lite0."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One variant: factors of the channels and of the number of blocks, and the side of its images on ImageNet."""

    name: str
    width: float
    depth: float
    side: int


SPECS = {
    "efficientnet-lite0": Spec("efficientnet-lite0", 1.0, 1.0, 224),
    "efficientnet-lite1": Spec("efficientnet-lite1", 1.0, 1.1, 240),
    "efficientnet-lite2": Spec("efficientnet-lite2", 1.1, 1.2, 260),
}


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block.

    Attributes:
        number: In Keras's names, from 2 on; the stem is block 1.
        kernel: Side of the depthwise kernel.
        stride: Of the depthwise convolution.
        expansion: Factor of the channels in the middle.
        inputs: Channels before.
        outputs: Channels behind.
    """

    number: int
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.inputs == self.outputs


def blocks(spec: Spec) -> list[Block]:
    """Return the blocks of a variant in order."""
    result: list[Block] = []
    before = STEM
    for index, (count, kernel, stride, expansion, channels) in enumerate(STAGES):
        fixed = index in (0, len(STAGES) - 1)
        outputs = scaled(channels, width=spec.width)
        for position in range(count if fixed else math.ceil(spec.depth * count)):
            result.append(Block(len(result) + 2, kernel, stride if position == 0 else 1, expansion, before, outputs))
            before = outputs
    return result


def scaled(channels: int, *, width: float) -> int:
    """Return a number of channels times the width, rounded to a multiple of 8 and never down by more than a tenth."""
    exact = channels * width
    rounded = max(DIVISOR, int(exact + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded if rounded >= 0.9 * exact else rounded + DIVISOR


def build(spec: Spec) -> Any:
    """Build the backbone with random weights.

    Returns:
        A Keras model from `(N, S, S, 3)` to feature maps `(N, S/32, S/32, 1280)`.
    """
    import keras

    layers = keras.layers

    def convolve(maps: Any, filters: int, kernel: int = 1, stride: int = 1, *, name: str) -> Any:
        maps = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)(maps)
        return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(maps)

    inputs = keras.Input((None, None, 3))
    maps = convolve(inputs, STEM, 3, 2, name="stem_conv")
    maps = layers.ReLU(6.0, name="stem_relu")(maps)
    for block in blocks(spec):
        name, start = f"block{block.number}", maps
        if block.expansion != 1:
            maps = convolve(maps, block.inputs * block.expansion, name=f"{name}_expand")
            maps = layers.ReLU(6.0, name=f"{name}_expand_relu")(maps)
        maps = layers.DepthwiseConv2D(
            block.kernel, strides=block.stride, padding="same", use_bias=False, name=f"{name}_depthwise"
        )(maps)
        maps = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_depthwise_bn")(maps)
        maps = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(maps)
        maps = convolve(maps, block.outputs, name=f"{name}_project")
        if block.is_residual:
            maps = layers.Add(name=f"{name}_add")([maps, start])
    maps = convolve(maps, TOP, name="head_conv")
    return keras.Model(inputs, layers.ReLU(6.0, name="head_relu")(maps), name=spec.name)
