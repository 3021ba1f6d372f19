"""EfficientNet-Lite in NumPy, as the original computes it: the reference for the conversion to Keras. Slow."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.inference.architectures.efficientnet_lite import EPSILON, Spec, blocks
from classifier.inference.preprocessing import Float32Array

Tensors = Mapping[str, npt.NDArray[Any]]


def forward(spec: Spec, tensors: Tensors, image: Float32Array) -> Iterator[tuple[str, Float32Array]]:
    """Run the original's layers one after the other.

    Args:
        spec: The variant.
        tensors: The original's tensors by their names there.
        image: float32 `(1, S, S, 3)`.

    Yields:
        The name of the Keras layer with the same output, and that output, float32 `(1, s, s, C)`.
    """
    x = _normalize(_convolve(image, tensors["_conv_stem.weight"], stride=2), tensors, "_bn0")
    yield "stem_conv_bn", x
    x = _relu6(x)
    for index, block in enumerate(blocks(spec)):
        old, new, start = f"_blocks.{index}", f"block{block.number}", x
        if f"{old}._expand_conv.weight" in tensors:
            x = _normalize(_convolve(x, tensors[f"{old}._expand_conv.weight"]), tensors, f"{old}._bn0")
            yield f"{new}_expand_bn", x
            x = _relu6(x)
        kernel = tensors[f"{old}._depthwise_conv.weight"]
        x = _normalize(_convolve(x, kernel, stride=block.stride, depthwise=True), tensors, f"{old}._bn1")
        yield f"{new}_depthwise_bn", x
        x = _normalize(_convolve(_relu6(x), tensors[f"{old}._project_conv.weight"]), tensors, f"{old}._bn2")
        yield f"{new}_project_bn", x
        if x.shape == start.shape:
            x = x + start
            yield f"{new}_add", x
    x = _normalize(_convolve(x, tensors["_conv_head.weight"]), tensors, "_bn1")
    yield "head_conv_bn", x
    yield "head_relu", _relu6(x)


def _convolve(x: Float32Array, kernel: npt.NDArray[Any], *, stride: int = 1, depthwise: bool = False) -> Float32Array:
    """Convolve `(1, H, W, I)` with `(O, I, k, k)`, or `(C, 1, k, k)`, padded to a side of H divided by the stride."""
    side, k = x.shape[1], kernel.shape[-1]
    missing = max(0, (-(-side // stride) - 1) * stride + k - side)
    pad = (missing // 2, missing - missing // 2)
    padded = np.pad(x[0], (pad, pad, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(0, 1))[::stride, ::stride]
    if depthwise:
        return np.asarray(np.einsum("hwcij,cij->hwc", windows, kernel[:, 0])[None], np.float32)
    return np.asarray(np.tensordot(windows, kernel, axes=((2, 3, 4), (1, 2, 3)))[None], np.float32)


def _normalize(x: Float32Array, tensors: Tensors, name: str) -> Float32Array:
    gamma, beta, mean, variance = (
        tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return np.asarray((x - mean) / np.sqrt(variance + EPSILON) * gamma + beta, np.float32)


def _relu6(x: Float32Array) -> Float32Array:
    return np.minimum(np.maximum(x, np.float32(0)), np.float32(6))
