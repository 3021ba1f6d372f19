"""Train the network that recognizes turned heads."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.inspection.normalize import BRIGHTEST, head_square
from classifier.training.inspection_arrays import arrays_of

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
Generator = np.random.Generator

CHANNELS = (24, 48, 72, 96)
BATCH = 64
RATE = 3e-3
WEIGHT_DECAY = 3e-2
DETAIL = 1.25
"""Side of the stored heads in sides of the input, so that moving and enlarging one loses no detail."""
UPSIDE_DOWN_SOURCES = ("br35h",)
"""Sources of which many images are upside down, so that their orientation teaches nothing."""


def fit_turn_network(
    images: Sequence[UInt8Array], *, side: int, steps: int, seed: int = 1, log: Callable[[str], Any] = print
) -> dict[str, Float32Array]:
    """Train the network and return its arrays, as `ConvolutionalNetwork.load` reads them.

    Args:
        images: Upright training images, uint8 `(H, W)`.
        side: Side of the network's input in pixels.
        steps: Number of steps.
        seed: Seed of all choices.
        log: Called with a line from time to time.
    """
    import keras

    keras.utils.set_random_seed(seed)
    heads = np.stack([head_square(image, side=round(DETAIL * side)) for image in images]).astype(np.float16)
    generator = np.random.default_rng(seed)
    model = turn_network(side=side)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=RATE, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = []
    for step in range(1, steps + 1):
        losses.append(float(model.train_on_batch(*draw(heads, side=side, generator=generator))))
        if step % 200 == 0:
            log(json.dumps({"network": "turn", "step": step, "loss": round(float(np.mean(losses[-200:])), 4)}))
    return arrays_of(model, name="turn")


def draw(heads: npt.NDArray[np.float16], *, side: int, generator: Generator) -> tuple[Float32Array, Any]:
    """Return a batch of heads, a quarter of them turned by each number of quarter turns.

    Args:
        heads: Squares around the heads, `(N, S, S)`, see `head_square`.
        side: Side of the result in pixels.
        generator: Source of randomness.

    Returns:
        float32 `(BATCH, side, side, 1)` and the quarter turns counterclockwise, int `(BATCH,)`.
    """
    import tensorflow as tf

    chosen = heads[generator.integers(0, len(heads), BATCH)].astype(np.float32)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=chosen[..., None],
        transforms=_transforms(generator, side=side, source=heads.shape[1]),
        output_shape=(side, side),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    ).numpy()
    kinds = np.arange(BATCH) % 4
    changed = [_changed(image[..., 0] / BRIGHTEST, generator) for image in moved]
    turned = np.stack([np.rot90(image, int(kind)) for image, kind in zip(changed, kinds, strict=True)])
    return turned[..., None].astype(np.float32), kinds


def turn_network(*, side: int) -> Any:
    """Return the untrained network: `(B, side, side, 1)` to the log-odds of 0 to 3 quarter turns, `(B, 4)`."""
    import keras
    from keras import layers

    inputs = keras.Input((side, side, 1))
    values = inputs
    for count in CHANNELS:
        values = layers.MaxPooling2D(2)(layers.Conv2D(count, 3, padding="same", use_bias=False)(values))
        values = layers.ReLU()(layers.BatchNormalization(momentum=0.98)(values))
    values = layers.Dropout(0.4)(layers.Flatten()(values))
    return keras.Model(inputs, layers.Dense(4)(values))


def _transforms(generator: Generator, *, side: int, source: int) -> Float32Array:
    """Return projective transforms that turn a little, scale, stretch, move, and mirror: float32 `(BATCH, 8)`."""
    angle = np.deg2rad(generator.uniform(-14, 14, BATCH))
    zoom = source / side * generator.uniform(0.85, 1.2, BATCH)
    stretch = np.exp(generator.uniform(-0.12, 0.12, BATCH))
    mirror = np.where(generator.random(BATCH) < 0.5, -1.0, 1.0)
    x, y = (generator.uniform(-0.08, 0.08, BATCH) * source for _ in range(2))
    a, b = zoom * stretch * np.cos(angle) * mirror, -zoom * stretch * np.sin(angle)
    c, d = zoom / stretch * np.sin(angle) * mirror, zoom / stretch * np.cos(angle)
    middle, center = (side - 1) / 2, (source - 1) / 2
    zeros = np.zeros(BATCH)
    moved_x, moved_y = center + x - (a + b) * middle, center + y - (c + d) * middle
    return np.stack([a, b, moved_x, c, d, moved_y, zeros, zeros], axis=1).astype(np.float32)


def _changed(head: Float32Array, generator: Generator) -> Float32Array:
    """Return a head in [0, 1] with another contrast, with something laid over it, and with noise."""
    values = np.clip(head, 0.0, 1.0)
    if generator.random() < 0.6:
        steps = 0.1 + generator.gamma(1.0, size=5)
        values = np.interp(values, np.linspace(0, 1, 6), np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]))
        if generator.random() < 0.12:
            values = np.where(values > 0.08, 1.0 - 0.9 * values, values)
    values = values * generator.uniform(0.75, 1.25) * BRIGHTEST
    if generator.random() < 0.4:
        height, width = (int(extent) for extent in generator.integers(len(head) // 10, 3 * len(head) // 8, 2))
        top, left = generator.integers(0, len(head) - height), generator.integers(0, len(head) - width)
        level = generator.choice([0.0, generator.uniform(0.0, 1.0)])
        values[top : top + height, left : left + width] = level
    noise = generator.uniform(0.0, 0.05) * generator.standard_normal(values.shape)
    return (values + noise).astype(np.float32)
