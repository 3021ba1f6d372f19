"""Train the network that recognizes turned heads."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.inspection.normalize import head_square

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

CHANNELS = (16, 32, 48, 64)
BATCH = 64
RATE = 2e-3
WEIGHT_DECAY = 1e-2


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
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(seed)
    heads = np.stack([head_square(image, side=side) for image in images]).astype(np.float16)
    generator = np.random.default_rng(seed)

    def draw() -> tuple[Any, npt.NDArray[np.int64]]:
        chosen = heads[generator.integers(0, len(heads), BATCH)].astype(np.float32)
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=chosen[..., None],
            transforms=_transforms(generator, side=side),
            output_shape=(side, side),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        ).numpy()
        gamma, gain = (generator.uniform(*limits, (BATCH, 1, 1, 1)) for limits in ((0.6, 1.6), (0.75, 1.2)))
        noise = generator.uniform(0, 0.03, (BATCH, 1, 1, 1)) * generator.standard_normal(moved.shape)
        moved = np.maximum(moved, 0.0) ** gamma * gain + noise
        kinds = np.arange(BATCH) % 4
        moved = np.stack([np.rot90(image, int(kind)) for image, kind in zip(moved, kinds, strict=True)])
        return moved.astype(np.float32), kinds

    inputs = keras.Input((side, side, 1))
    values = inputs
    for count in CHANNELS:
        values = layers.Conv2D(count, 3, padding="same")(values)
        values = layers.ReLU()(layers.MaxPooling2D(2)(values))
    values = layers.Dropout(0.3)(layers.Flatten()(values))
    model = keras.Model(inputs, layers.Dense(4)(values))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=RATE, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = []
    for step in range(1, steps + 1):
        losses.append(float(model.train_on_batch(*draw())))
        if step % 200 == 0:
            log(json.dumps({"network": "turn", "step": step, "loss": round(float(np.mean(losses[-200:])), 4)}))
    arrays: dict[str, Float32Array] = {}
    for index, layer in enumerate(layer for layer in model.layers if layer.weights):
        arrays[f"turn.weights.{index}"], arrays[f"turn.biases.{index}"] = layer.get_weights()
    return arrays


def _transforms(generator: np.random.Generator, *, side: int) -> Float32Array:
    """Return projective transforms that turn a little, scale, move, and mirror: float32 `(BATCH, 8)`."""
    angle = np.deg2rad(generator.uniform(-14, 14, BATCH))
    zoom = generator.uniform(0.85, 1.15, BATCH)
    mirror = np.where(generator.random(BATCH) < 0.5, -1.0, 1.0)
    x, y = (generator.uniform(-0.08, 0.08, BATCH) * side for _ in range(2))
    middle = (side - 1) / 2
    a, b = zoom * np.cos(angle) * mirror, -zoom * np.sin(angle)
    c, d = zoom * np.sin(angle) * mirror, zoom * np.cos(angle)
    zeros = np.zeros(BATCH)
    moved_x, moved_y = middle + x - (a + b) * middle, middle + y - (c + d) * middle
    return np.stack([a, b, moved_x, c, d, moved_y, zeros, zeros], axis=1).astype(np.float32)
