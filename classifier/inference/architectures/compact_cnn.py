"""A small network for MR slices, trained from scratch. `docs/decisions/0015-compact-cnn.md` gives the reasons.

Residual bottlenecks without activation normalization: weights are standardized instead (Brock et al., "Characterizing
signal propagation to close the performance gap in unnormalized ResNets", 2021), so that an image's answer depends on
no other image and no stored statistics. Every reduction blurs first (Zhang, "Making Convolutional Networks
Shift-Invariant Again", 2019).
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SIZE = 160
"""Pixels per side."""
STEM = (16, 32)
"""Channels of the two convolutions of the stem, at the full and at half the side."""
STAGES = ((64, 2), (128, 3), (256, 4))
"""Channels and residual blocks of each stage; each stage halves the side first."""
SQUEEZE = 2
"""The middle of a block has this many times fewer channels."""
BRANCH_SCALE = 0.2
"""Variance that each block adds to its stage is the square of this."""
RELU_GAIN = 1.7139588594436646
"""sqrt(2 / (1 - 1/pi)): undoes the loss of variance of a ReLU on standard normal input."""


@functools.cache
def standardized_convolution() -> type:
    """Return the layer class; defined on first use, so that this module does not import Keras."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable(package="brainscan")
    class StandardizedConv2D(keras.layers.Layer):  # type: ignore[misc]
        """A convolution whose kernel has mean 0 and variance 1/fan-in for each output channel, times a gain.

        The kernel is standardized in float32 and rounded to the compute dtype afterwards.
        """

        def __init__(self, filters: int, kernel_size: int, *, scale: float = 1.0, gain: float = 1.0, **rest: Any):
            super().__init__(**rest)
            self.filters, self.kernel_size, self.scale, self.first_gain = filters, kernel_size, scale, gain

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """Create the kernel, a gain and a bias for each output channel."""
            shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
            float32: dict[str, Any] = {"dtype": "float32", "autocast": False}
            self.kernel = self.add_weight(name="kernel", shape=shape, initializer="he_normal", **float32)
            start = keras.initializers.Constant(self.first_gain)
            self.gain = self.add_weight(name="gain", shape=(self.filters,), initializer=start, **float32)
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", **float32)

        def call(self, inputs: Any) -> Any:
            """Convolve `(N, H, W, C)` with a stride of 1, padded with zeros."""
            kernel = ops.convert_to_tensor(self.kernel)
            fan_in = kernel.shape[0] * kernel.shape[1] * kernel.shape[2]
            centered = kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
            variance = ops.mean(ops.square(centered), axis=(0, 1, 2), keepdims=True)
            standard = centered * ops.rsqrt(ops.maximum(variance * fan_in, 1e-4)) * (self.scale * self.gain)
            outputs = ops.conv(inputs, ops.cast(standard, self.compute_dtype), strides=1, padding="same")
            return outputs + ops.cast(self.bias, self.compute_dtype)

        def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            """Return the same height and width, with `filters` channels."""
            return (*input_shape[:-1], self.filters)

        def get_config(self) -> dict[str, Any]:
            """Return the arguments."""
            own = {"filters": self.filters, "kernel_size": self.kernel_size, "scale": self.scale}
            config: dict[str, Any] = super().get_config() | own | {"gain": self.first_gain}
            return config

    return StandardizedConv2D


def build() -> Any:
    """Build the backbone with random weights.

    Returns:
        A Keras model from `(N, S, S, 1)` to feature maps `(N, S/16, S/16, 256)`, which are 10×10 at 160 pixels.
    """
    import keras

    layers = keras.layers
    conv: Any = standardized_convolution()
    inputs = keras.Input((None, None, 1))
    # MR intensities have no unit: each image gets mean 0 and variance 1. In float32, since it sums up 25,600 pixels.
    maps = layers.GroupNormalization(1, scale=False, center=False, dtype="float32", name="stem_standardize")(inputs)
    maps = layers.ReLU(name="stem_relu1")(conv(STEM[0], 3, name="stem_conv1")(maps))
    maps = blurred_half(maps, name="stem_blur1")
    maps = layers.ReLU(name="stem_relu2")(conv(STEM[1], 3, scale=RELU_GAIN, name="stem_conv2")(maps))
    block = 1
    for channels, blocks in STAGES:
        block += 1
        maps = blurred_half(maps, name=f"block{block}_blur")
        maps = conv(channels, 1, scale=RELU_GAIN, name=f"block{block}_widen")(maps)
        for index in range(blocks):
            block += index > 0
            # Each block before this one in the stage has added the square of `BRANCH_SCALE` to the variance.
            undo = RELU_GAIN / (1.0 + index * BRANCH_SCALE**2) ** 0.5
            inner = layers.ReLU(name=f"block{block}_relu1")(maps)
            inner = conv(channels // SQUEEZE, 1, scale=undo, name=f"block{block}_conv1")(inner)
            inner = layers.ReLU(name=f"block{block}_relu2")(inner)
            inner = conv(channels // SQUEEZE, 3, scale=RELU_GAIN, name=f"block{block}_conv2")(inner)
            inner = layers.ReLU(name=f"block{block}_relu3")(inner)
            # A gain that starts at zero makes every block an identity at first (De and Smith, 2020).
            last = conv(channels, 1, scale=RELU_GAIN * BRANCH_SCALE, gain=0.0, name=f"block{block}_conv3")
            maps = layers.Add(name=f"block{block}_add")([maps, last(inner)])
        maps = layers.ReLU(name=f"block{block}_relu")(maps)
    return keras.Model(inputs, maps, name="compact-cnn")


def blurred_half(maps: Any, *, name: str) -> Any:
    """Halve the side with the binomial filter (1, 2, 1)/4: a mean of two neighbors, then a mean of two with stride 2.

    Pooling is faster than the depthwise convolution with the same weights, and every engine has it.
    """
    import keras

    maps = keras.layers.AveragePooling2D(2, strides=1, padding="same", name=f"{name}1")(maps)
    return keras.layers.AveragePooling2D(2, strides=2, padding="same", name=f"{name}2")(maps)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer that counts.

    Attributes:
        name: Of the Keras layer.
        side: Side of its output, for the input side that was asked for.
        kernel: Side of its kernel.
        stride: Of its output against its input.
        inputs: Channels before.
        outputs: Channels behind; 0 for a blur, which has no parameters.
    """

    name: str
    side: int
    kernel: int
    stride: int
    inputs: int
    outputs: int

    @property
    def parameters(self) -> int:
        """Kernel, gain and bias."""
        return self.outputs * (self.kernel**2 * self.inputs + 2) if self.outputs else 0

    @property
    def multiply_adds(self) -> int:
        """Multiplications of the kernel with its input, at every place of the output."""
        return self.side**2 * self.kernel**2 * self.inputs * self.outputs


def plan(size: int = SIZE) -> Iterator[Layer]:
    """Yield the layers in order, without Keras.

    Args:
        size: Side of the input in pixels; a multiple of 16.
    """
    yield Layer("stem_conv1", size, 3, 1, 1, STEM[0])
    side = size // 2
    yield Layer("stem_blur1", side, 3, 2, STEM[0], 0)
    yield Layer("stem_conv2", side, 3, 1, *STEM)
    before, block = STEM[1], 1
    for channels, blocks in STAGES:
        side //= 2
        block += 1
        yield Layer(f"block{block}_blur", side, 3, 2, before, 0)
        yield Layer(f"block{block}_widen", side, 1, 1, before, channels)
        middle = channels // SQUEEZE
        for index in range(blocks):
            block += index > 0
            yield Layer(f"block{block}_conv1", side, 1, 1, channels, middle)
            yield Layer(f"block{block}_conv2", side, 3, 1, middle, middle)
            yield Layer(f"block{block}_conv3", side, 1, 1, middle, channels)
        before = channels


def cost(size: int = SIZE) -> dict[str, int]:
    """Return parameters, multiply-adds for one image, stride, and receptive field in pixels of the backbone."""
    layers = list(plan(size))
    stride, field = 1, 1
    for layer in layers:
        field += (layer.kernel - 1) * stride
        stride *= layer.stride
    return {
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "stride": stride,
        "receptive_field": field,
    }
