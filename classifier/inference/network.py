"""The networks that a card can specify: a backbone, global average pooling, and one linear layer.

With this architecture the class activation map (Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016) is exact: a logit is the spatial mean of its class map. Keras is imported inside the
functions, so that web processes can import this package without loading TensorFlow.
"""

from pathlib import Path
from typing import Any

from classifier.findings import FINDINGS
from classifier.inference.architectures import find_architecture

DROPOUT = 0.3
HEAD = "head"
LESION_HEAD = "lesion"


def build_network(name: str, *, classes: int = len(FINDINGS), dropout: float = DROPOUT) -> Any:
    """Build the whole classifier: backbone, global average pooling, dropout, linear head.

    Batch normalization, where a backbone has it, learns the statistics of the training batches, except in frozen
    blocks, which keep theirs; outside of training it uses what is stored.

    Args:
        name: Name of an architecture, see `find_architecture`.
        classes: Number of logits.
        dropout: Share of the pooled features dropped during training.

    Returns:
        A Keras model from `(N, S, S, channels)` to float32 logits `(N, classes)`.

    Raises:
        ValueError: If there is no such architecture.
    """
    import keras

    architecture = find_architecture(name)
    backbone = architecture.build()
    inputs = keras.Input((None, None, architecture.channels))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
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


def map_side(network: Any, *, size: int) -> int:
    """Return the side of the feature maps, and so of the class maps, for an input side in pixels."""
    backbone = backbone_of(network)
    return int(backbone.compute_output_shape((1, size, size, backbone.input.shape[-1]))[1])


def freeze_blocks(network: Any, *, blocks: int) -> int:
    """Freeze the first blocks of the backbone. They detect edges, which MR slices share with photographs.

    Args:
        network: A model made by `build_network`.
        blocks: Number of blocks to freeze, from 0 on; see `blocks_of`.

    Returns:
        The number of frozen layers.
    """
    frozen = [layer for layer, block in blocks_of(network) if block <= blocks]
    for layer in frozen:
        layer.trainable = False
    return len(frozen)


def blocks_of(network: Any) -> list[tuple[Any, int]]:
    """Return the layers of the backbone, in order, each with its block number.

    Args:
        network: A model made by `build_network`.

    Returns:
        Pairs of a Keras layer and a number from 1 on; 1 is the stem.
    """
    return find_architecture(network.name).blocks(backbone_of(network))


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
