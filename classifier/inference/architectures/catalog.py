"""Find an architecture by its name."""

import inspect
from typing import Any

from classifier.inference.architectures import compact_cnn, efficientnet_lite
from classifier.inference.architectures.base import Architecture, Blocks, blocks_by_merges, blocks_by_name

ENSEMBLE = "ensemble"
"""Network of a card whose model consists of others; see `classifier.inference.engines.ensemble`."""


def find_architecture(name: str) -> Architecture:
    """Return an architecture.

    Args:
        name: `xception`, `compact-cnn`, `efficientnet-lite0` to `efficientnet-lite2`, `tiny` (three small layers, for
            fast tests), or the name of a network of `keras.applications`, such as `ResNet50V2`; case, hyphens, and
            underscores do not matter.

    Raises:
        ValueError: If there is no such architecture.
    """
    if name in OWN:
        return OWN[name]
    found = _application(name)
    if found is None:
        raise ValueError(
            f"The architecture must be one of {', '.join(OWN)}, or a network of keras.applications. Received: {name!r}"
        )
    return found


def _xception() -> Any:
    import keras

    return keras.applications.Xception(include_top=False, weights=None, input_shape=(None, None, 3))


def _xception_blocks(backbone: Any) -> Blocks:
    """Divide an Xception: blocks 2 to 13 each end with an addition, block 1 does not, block 14 is the rest."""
    import keras

    result: Blocks = []
    block = 1
    for layer in backbone.layers:
        if block == 1 and layer.name.startswith(("block2_", "conv2d")):
            block = 2
        result.append((layer, block))
        block += isinstance(layer, keras.layers.Add)
    return result


def _tiny() -> Any:
    import keras

    inputs = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(8, 9, strides=8, padding="same", activation="relu")(inputs)
    maps = keras.layers.Conv2D(16, 5, strides=4, padding="same", activation="relu")(maps)
    return keras.Model(inputs, maps, name="tiny")


def _lite(name: str) -> Architecture:
    spec = efficientnet_lite.SPECS[name]
    return Architecture(
        name, build=lambda: efficientnet_lite.build(spec), blocks=blocks_by_name, size=efficientnet_lite.SIZE
    )


OWN: dict[str, Architecture] = {
    "xception": Architecture("xception", build=_xception, blocks=_xception_blocks, size=299),
    "compact-cnn": Architecture(
        "compact-cnn", build=compact_cnn.build, blocks=blocks_by_name, channels=1, size=compact_cnn.SIZE
    ),
    **{name: _lite(name) for name in efficientnet_lite.SPECS},
    "tiny": Architecture("tiny", build=_tiny, blocks=blocks_by_merges, size=299),
}


def _application(name: str) -> Architecture | None:
    """Return a network of `keras.applications`, with the value range that its preprocessing function gives."""
    import keras
    import numpy as np

    wanted = name.lower().replace("-", "").replace("_", "")
    makers = {key.lower(): key for key, value in vars(keras.applications).items() if inspect.isfunction(value)}
    if wanted not in makers:
        return None
    key = makers[wanted]
    make = getattr(keras.applications, key)
    module = next(
        part
        for part in vars(keras.applications).values()
        if inspect.ismodule(part) and getattr(part, key, None) is make
    )
    # The functions of some networks shift each color by its own mean; a gray image gets the mean of the three.
    low, high = (float(module.preprocess_input(np.full((1, 1, 1, 3), v, np.float32)).mean()) for v in (0.0, 255.0))
    return Architecture(
        wanted,
        build=lambda: make(include_top=False, weights=None, input_shape=(None, None, 3)),
        blocks=blocks_by_merges,
        low=low,
        high=high,
    )
