"""Count a network's parameters and multiply-adds, layer by layer."""

import math
from typing import Any

from classifier.inference.network import backbone_of, build_network

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def network_cost(name: str, *, size: int) -> dict[str, Any]:
    """Return what an architecture costs.

    Args:
        name: Name of the architecture.
        size: Side of its input in pixels.

    Returns:
        `name`, `parameters` of the whole network, and `multiply_adds` of its convolutions and its head for one image.
        Normalization, activation, and pooling are not counted.
    """
    network = build_network(name)
    backbone = backbone_of(network)
    head = math.prod(network.layers[-1].kernel.shape)
    return {
        "name": name,
        "parameters": int(network.count_params()),
        "multiply_adds": backbone_multiply_adds(backbone, size=size) + head,
    }


def backbone_multiply_adds(backbone: Any, *, size: int) -> int:
    """Return the multiply-adds of a backbone's convolutions for one image of a side in pixels."""
    import keras

    layers = [layer for layer in backbone.layers if any(hasattr(layer, name) for name in KERNELS)]
    probe = keras.Model(backbone.input, [layer.output for layer in layers])
    shapes = probe.compute_output_shape((1, size, size, backbone.input.shape[-1]))
    return sum(
        _multiply_adds(layer, places=math.prod(shape[1:-1])) for layer, shape in zip(layers, shapes, strict=True)
    )


def _multiply_adds(layer: Any, *, places: int) -> int:
    """Each weight of a kernel is used once at every place of the output."""
    kernels = [getattr(layer, name, None) for name in KERNELS]
    return sum(math.prod(kernel.shape) * places for kernel in kernels if kernel is not None)
