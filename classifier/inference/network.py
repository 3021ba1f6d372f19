"""The networks that a card can specify: a backbone, global average pooling, and one linear layer.

With this architecture the class activation map (Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016) is exact: a logit is the spatial mean of its class map. Keras is imported inside the
functions, so that web processes can import this package without loading TensorFlow.
"""

from pathlib import Path
from typing import Any

from classifier.findings import FINDINGS

DROPOUT = 0.3
HEAD = "head"
LESION_HEAD = "lesion"


def build_backbone(name: str) -> Any:
    """Build a backbone without its top, with random weights and free spatial size.

    Args:
        name: `xception`, or `tiny` (three small layers with the same structure, for fast tests).

    Returns:
        A Keras model from `(N, S, S, 3)` to feature maps `(N, s, s, C)`; C is 2,048 for Xception, whose maps
        are 10×10 at 299 pixels.

    Raises:
        ValueError: If the name is unknown.
    """
    import keras

    if name == "xception":
        return keras.applications.Xception(include_top=False, weights=None, input_shape=(None, None, 3))
    if name == "tiny":
        inputs = keras.Input((None, None, 3))
        maps = keras.layers.Conv2D(8, 9, strides=8, padding="same", activation="relu")(inputs)
        maps = keras.layers.Conv2D(16, 5, strides=4, padding="same", activation="relu")(maps)
        return keras.Model(inputs, maps, name="tiny")
    raise ValueError(f"The network must be 'xception' or 'tiny'. Received: {name!r}")


def build_network(name: str, *, classes: int = len(FINDINGS), dropout: float = DROPOUT) -> Any:
    """Build the whole classifier: backbone, global average pooling, dropout, linear head.

    The backbone is called with `training=False`: batch normalization always uses its stored statistics,
    because small batches of images of one organ would distort them.

    Args:
        name: Backbone name, see `build_backbone`.
        classes: Number of logits.
        dropout: Share of the pooled features dropped during training.

    Returns:
        A Keras model from `(N, S, S, 3)` to float32 logits `(N, classes)`.
    """
    import keras

    backbone = build_backbone(name)
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs, training=False))
    dropped = keras.layers.Dropout(dropout)(pooled)
    # The head stays in float32 under mixed precision: its output feeds a loss with logarithms.
    logits = keras.layers.Dense(classes, name=HEAD, dtype="float32")(dropped)
    return keras.Model(inputs, logits, name=name)


def backbone_of(network: Any) -> Any:
    """Return the backbone inside a network made by `build_network`."""
    import keras

    return next(layer for layer in network.layers if isinstance(layer, keras.Model))


def with_training_outputs(network: Any) -> Any:
    """Return the same layers as a model with three outputs, for losses on locations.

    Args:
        network: A model made by `build_network`.

    Returns:
        A Keras model from `(N, S, S, 3)` to logits `(N, 4)`, class maps `(N, h, w, 4)` and lesion logits
        `(N, h, w, 1)`. The first two share all weights with the network. The third has its own linear layer, which
        is used only in training.
    """
    import keras

    pooling = next(layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    lesion = keras.layers.Dense(
        1, name=LESION_HEAD, dtype="float32", bias_initializer=keras.initializers.Constant(-2.0)
    )
    class_maps = network.get_layer(HEAD)(pooling.input)
    return keras.Model(network.input, [network.output, class_maps, lesion(pooling.input)])


def freeze_blocks(network: Any, *, blocks: int) -> int:
    """Freeze the first blocks of an Xception. They detect edges, which MR slices share with photographs.

    Args:
        network: A model made by `build_network`.
        blocks: Number of blocks to freeze, 0–13; see `blocks_of`.

    Returns:
        The number of frozen layers.
    """
    frozen = [layer for layer, block in blocks_of(network) if block <= blocks]
    for layer in frozen:
        layer.trainable = False
    return len(frozen)


def blocks_of(network: Any) -> list[tuple[Any, int]]:
    """Return the layers of an Xception backbone, in order, each with its block number.

    Blocks 2 to 13 each end with an addition, block 1 does not; block 14 holds the remaining layers.

    Args:
        network: A model made by `build_network`.

    Returns:
        Pairs of a Keras layer and 1–14.
    """
    import keras

    layers, block = [], 1
    for layer in backbone_of(network).layers:
        if block == 1 and layer.name.startswith(("block2_", "conv2d")):
            block = 2
        layers.append((layer, block))
        block += isinstance(layer, keras.layers.Add)
    return layers


def save_float16(network: Any, path: Path) -> None:
    """Write the weights as float16, which halves the size and changes logits by less than their noise.

    Args:
        network: A model made by `build_network`.
        path: Target, ending in `.weights.h5`.
    """
    import h5py

    network.save_weights(path)
    half = path.with_name(path.name + ".half")
    with h5py.File(path, "r") as source, h5py.File(half, "w") as target:
        _copy_float16(source, target)
    half.replace(path)


def _copy_float16(source: Any, target: Any) -> None:
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if name == "optimizer":  # A compiled network saves its optimizer too, twice the size of the weights.
            continue
        if hasattr(item, "dtype"):
            data = item[()]
            target.create_dataset(name, data=data.astype("float16") if data.dtype == "float32" else data)
        else:
            _copy_float16(item, target.create_group(name))
