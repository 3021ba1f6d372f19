"""The interface of an architecture to the rest of the program."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from classifier.inference.preprocessing import Preprocessing

Blocks = list[tuple[Any, int]]
"""Layers of a backbone in order, each with the number of its block, from 1 on."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture.

    Attributes:
        name: Name on cards and on the command line.
        build: Makes the backbone with random weights: a Keras model from `(N, S, S, channels)`, S free, to feature maps
            `(N, s, s, C)`.
        channels: Copies of the gray channel that it expects.
        low: Value of a black pixel in its input.
        high: Value of a white pixel in its input.
        size: Side of its input in pixels, unless a run or a card says otherwise.
        blocks: Divides the layers of its backbone into blocks, which are frozen and slowed down together.
    """

    name: str
    build: Callable[[], Any]
    blocks: Callable[[Any], Blocks]
    channels: int = 3
    low: float = -1.0
    high: float = 1.0
    size: int = 224

    def preprocessing(self, *, size: int | None = None) -> Preprocessing:
        """Return the format of the input at a side, by default its own."""
        return Preprocessing(size=size or self.size, channels=self.channels, low=self.low, high=self.high)


def blocks_by_name(backbone: Any) -> Blocks:
    """Divide layers by their names: `block7_…` belongs to block 7, other layers to the block before them.

    Block 1 is the stem. Layers named `head…` form a block of their own.
    """
    result: Blocks = []
    block = 1
    for layer in backbone.layers:
        if found := re.match(r"block(\d+)", layer.name):
            block = int(found.group(1))
        elif layer.name.startswith("head") and not _is_head(result):
            block += 1
        result.append((layer, block))
    return result


def blocks_by_merges(backbone: Any) -> Blocks:
    """Divide the layers of a network whose names say nothing.

    A block ends with an addition, without additions with a concatenation, and without either, before a layer that
    makes the maps smaller.
    """
    import keras

    layers = backbone.layers
    ends: tuple[type, ...] = (keras.layers.Add,)
    if not any(isinstance(layer, ends) for layer in layers):
        ends = (keras.layers.Concatenate,)
    merges = any(isinstance(layer, ends) for layer in layers)
    result: Blocks = []
    block = 1
    for layer in layers:
        if not merges and result and max(_strides(layer)) > 1:
            block += 1
        result.append((layer, block))
        block += isinstance(layer, ends)
    return result


def _is_head(blocks: Blocks) -> bool:
    return bool(blocks) and blocks[-1][0].name.startswith("head")


def _strides(layer: Any) -> tuple[int, ...]:
    strides = getattr(layer, "strides", 1)
    return tuple(strides) if isinstance(strides, tuple | list) else (int(strides),)
