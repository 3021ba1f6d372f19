"""Train the network that finds text and markings, inside the head as well."""

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from classifier.inspection.checks import MARK_CELLS, bright_cells
from classifier.inspection.normalize import BRIGHTEST, normalized, padded
from classifier.inspection.outside import SIDE, head_mask
from classifier.training.inspection_arrays import arrays_of
from classifier.training.inspection_draws import marked

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

CHANNELS = (8, 16, 32, 64)
BATCH = 32
RATE = 4e-3
WEIGHT_DECAY = 1e-2
LEAST_PIXELS = 4.0
"""Changed pixels, of `SIDE` by `SIDE`, from which a cell counts as marked; a cell with fewer is not counted."""
MARKED_SHARE = 0.6
"""Share of the training images that get a marking. The others are negative examples."""
DARK_SHARE = 0.25
"""Share of the markings that are dark."""
BLANKED_SHARE = 0.15
"""Share of the images with a part painted black, as the input check blanks out text."""


def fit_mark_network(
    images: Sequence[UInt8Array],
    *,
    fonts: tuple[Path, ...],
    steps: int,
    seed: int = 1,
    log: Callable[[str], Any] = print,
) -> dict[str, Float32Array]:
    """Train the network and return its arrays, as `ConvolutionalNetwork.load` reads them.

    Args:
        images: Training images, uint8 `(H, W)`. Those with bright pixels outside the head are left out.
        fonts: Font files to write with.
        steps: Number of steps.
        seed: Seed of all choices.
        log: Called with a line from time to time.

    Raises:
        ValueError: If no image is left.
    """
    import keras

    keras.utils.set_random_seed(seed)
    chance = random.Random(seed)
    clean = [image for image in images if not _is_marked(image)]
    if not clean:
        raise ValueError("No image without text or markings to learn from.")
    model = mark_network()
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=RATE, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.BinaryFocalCrossentropy(from_logits=True, gamma=1.0),
    )
    losses = []
    for step in range(1, steps + 1):
        drawn = [draw(chance.choice(clean), chance=chance, fonts=fonts) for _ in range(BATCH)]
        inputs, labels, counted = (np.stack(part) for part in zip(*drawn, strict=True))
        losses.append(
            float(model.train_on_batch(inputs[..., None], labels[..., None], sample_weight=counted[..., None]))
        )
        if step % 100 == 0:
            log(json.dumps({"network": "mark", "step": step, "loss": round(float(np.mean(losses[-100:])), 5)}))
    return arrays_of(model, name="mark")


def draw(
    image: UInt8Array, *, chance: random.Random, fonts: tuple[Path, ...]
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return an input with its labels and the weights of the labels.

    Args:
        image: A clean image, uint8 `(H, W)`.
        chance: Source of the choices.
        fonts: Font files to write with.

    Returns:
        float32 `(SIDE, SIDE)`; labels, float32 `(MARK_CELLS, MARK_CELLS)`, 1 in marked cells; weights of the same
        shape, 0 in cells that a marking hardly touches.
    """
    values = _varied(image, chance)
    mask = np.zeros(values.shape, np.bool_)
    if chance.random() < MARKED_SHARE:
        # In the negative, so that the marking is dark.
        tone = np.uint8(255 if chance.random() < DARK_SHARE else 0)
        found = marked(values ^ tone, chance=chance, fonts=fonts)
        values, mask = found.image ^ tone, found.mask
    values = _resampled(values, chance)
    changed = padded(mask.astype(np.float32), side=SIDE)
    size = SIDE // MARK_CELLS
    pixels = changed.reshape(MARK_CELLS, size, MARK_CELLS, size).sum(axis=(1, 3))
    inputs = np.minimum(normalized(values, side=SIDE), BRIGHTEST).astype(np.float32)
    labels = (pixels >= LEAST_PIXELS).astype(np.float32)
    return inputs, labels, ((labels > 0) | (pixels == 0)).astype(np.float32)


def mark_network() -> Any:
    """Return the untrained network: `(B, SIDE, SIDE, 1)` to log-odds, `(B, MARK_CELLS, MARK_CELLS, 1)`."""
    import keras
    from keras import layers

    inputs = keras.Input((SIDE, SIDE, 1))
    values = inputs
    for count in CHANNELS:
        values = layers.MaxPooling2D(2)(layers.Conv2D(count, 3, padding="same", use_bias=False)(values))
        values = layers.ReLU()(layers.BatchNormalization(momentum=0.98)(values))
    bias = keras.initializers.Constant(-3.0)
    return keras.Model(inputs, layers.Dense(1, bias_initializer=bias)(values))


def _is_marked(image: UInt8Array) -> bool:
    values = normalized(image, side=SIDE)
    return bool(bright_cells(values, head_mask(values)).any())


def _varied(image: UInt8Array, chance: random.Random) -> UInt8Array:
    """Return the image mirrored, turned, with another contrast, and with a part painted black."""
    values = image
    if chance.random() < 0.5:
        values = values[:, ::-1]
    if chance.random() < 0.3:
        values = np.rot90(values, chance.randrange(1, 4))
    if chance.random() < 0.6:
        top = chance.uniform(0.6, 1.3)
        curve = 255.0 * top * np.linspace(0.0, 1.0, 256) ** np.exp(chance.uniform(-0.6, 0.6))
        values = np.clip(curve, 0, 255).astype(np.uint8)[values]
    values = np.array(values, order="C")
    if chance.random() < BLANKED_SHARE:
        height, width = values.shape
        top, left = (chance.uniform(-0.1, 1.0) * extent for extent in (height, width))
        bottom, right = top + chance.uniform(0.05, 0.3) * height, left + chance.uniform(0.05, 0.5) * width
        values[max(0, int(top)) : int(bottom), max(0, int(left)) : int(right)] = 0
    return values


def _resampled(image: UInt8Array, chance: random.Random) -> UInt8Array:
    """Return the image as an export may leave it: blurred, noisy, or compressed."""
    picture = Image.fromarray(image)
    if chance.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.2, 0.9) * image.shape[0] / 256))
    if chance.random() < 0.3:
        noise = np.random.default_rng(chance.getrandbits(32)).normal(0.0, chance.uniform(1.0, 8.0), image.shape)
        picture = Image.fromarray(np.clip(np.asarray(picture, np.float32) + noise, 0, 255).astype(np.uint8))
    if chance.random() < 0.4:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=chance.randint(40, 95))
        picture = Image.open(file)
    return np.asarray(picture.convert("L"))
