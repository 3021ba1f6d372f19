"""Batches as a pure function of the step number, so that a resumed run sees exactly what it would have seen."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.preprocessing import Float32Array, resize, to_input
from classifier.training.augment import Augmentation, Warp
from classifier.training.images import ImageSet
from classifier.training.manifest import TUMOR, Row, targets

SHARES: dict[str, float] = {
    "glioma": 0.22,
    "meningioma": 0.25,
    "notumor": 0.20,
    "pituitary": 0.17,
    TUMOR: 0.16,
}
"""Share of each label in a batch. Tumors of unknown type come from the sources of "no tumor", so about as many
of them as of "no tumor" images keep the source from telling the two apart."""

Batch = tuple[Float32Array, Float32Array, Float32Array]
"""Inputs `(B, size, size, 3)`, allowed findings `(B, M, 4)`, places `(B, h, w, 4)`: see `Batches.batch`."""

STRIDE = 32
"""Pixels a cell of the class maps; Xception halves its input five times."""


def sampling_weights(rows: tuple[Row, ...], *, shares: dict[str, float] | None = None) -> npt.NDArray[np.float64]:
    """The probability of drawing each image.

    Labels are drawn by `shares`; within a label, sources by the root of their size, so that rare sources are seen
    more often without being worn out; within a source, groups (patients) by the root of theirs, so that a patient
    with ninety slices does not outweigh one with two by as much.

    Returns:
        float64 `(N,)`, summing to 1.
    """
    shares = SHARES if shares is None else shares
    strata = Counter((row.true_label, row.source) for row in rows)
    mass = {key: np.sqrt(count) for key, count in strata.items()}
    slices = Counter((row.true_label, row.source, row.group) for row in rows)
    patients: Counter[tuple[str, str]] = Counter()
    for (label, source, _), count in slices.items():
        patients[label, source] += np.sqrt(count)
    per_label: Counter[str] = Counter()
    for (label, _), value in mass.items():
        per_label[label] += value
    weights = np.array(
        [
            shares[row.true_label]
            * mass[row.true_label, row.source]
            / per_label[row.true_label]
            / patients[row.true_label, row.source]
            / np.sqrt(slices[row.true_label, row.source, row.group])
            for row in rows
        ]
    )
    result: npt.NDArray[np.float64] = weights / weights.sum()
    return result


@dataclass(frozen=True, slots=True)
class Batches:
    """Draws augmented training batches.

    Attributes:
        images: What to draw from.
        augmentation: How to vary it.
        batch_size: Images a batch.
        seed: With the step number, determines a batch completely.
        official: Whether published labels are learnt instead of corrected ones.
        balanced: Whether images are drawn with `sampling_weights`; else all are shuffled anew for each epoch.
        mix: Parameter of the beta distribution of shares by which two images are laid over each other (mixup, Zhang
            et al., 2018); 0 never mixes.
    """

    images: ImageSet
    augmentation: Augmentation
    batch_size: int
    seed: int
    official: bool = False
    balanced: bool = True
    mix: float = 0.0

    def batch(self, step: int, *, size: int, weights: npt.NDArray[np.float64]) -> Batch:
        """Makes the batch of one step.

        Args:
            step: Number of the step.
            size: Side of the inputs in pixels.
            weights: From `sampling_weights`.

        Returns:
            Inputs float32 `(B, size, size, 3)` in [-1, 1]; allowed findings float32 `(B, M, 4)` for mixtures of M
            images, see `partial_label_loss`; and where the tumor lies, float32 `(B, h, w, 4)`: a distribution over
            the places of the tumor's own channel, all zero where no box is known.
        """
        rng = np.random.default_rng((self.seed, step))
        chosen = self._draw(step, weights=weights, rng=rng)
        pixels, labels, places = [], [], []
        for index in chosen:
            row = self.images.rows[index]
            image, warp = self.augmentation(self.images.pixels[index], size=size, rng=rng)
            pixels.append(image)
            labels.append(targets(row, official=self.official))
            places.append(place_of(row, warp=warp, source_size=self.images.pixels.shape[1]))
        plain = to_input(np.stack(pixels)), np.array(labels, np.float32)[:, None], np.stack(places)
        if not self.mix:
            return plain
        share = np.float32(rng.beta(self.mix, self.mix))
        return mixed(plain, share=share, order=rng.permutation(len(chosen)))

    def _draw(self, step: int, *, weights: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Indices of the images of one step, int `(B,)`."""
        if self.balanced:
            return rng.choice(len(self.images), size=self.batch_size, p=weights)
        epoch, number = divmod(step, max(1, len(self.images) // self.batch_size))
        order = np.random.default_rng((self.seed, epoch, len(self.images))).permutation(len(self.images))
        return order[number * self.batch_size : (number + 1) * self.batch_size]

    def stream(self, *, start: int, sizes: list[int], workers: int = 1, ahead: int = 4) -> Iterator[Batch]:
        """Yields the batches from step `start` on, prepared ahead in threads.

        Args:
            start: First step.
            sizes: Image side at every step; its length ends the stream.
            workers: Threads that prepare batches.
            ahead: Batches prepared in advance.
        """
        weights = sampling_weights(self.images.rows)
        with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
            waiting: list[Future[Batch]] = []
            following = start
            while following < len(sizes) or waiting:
                while following < len(sizes) and len(waiting) < ahead:
                    waiting.append(pool.submit(self.batch, following, size=sizes[following], weights=weights))
                    following += 1
                yield waiting.pop(0).result()


def mixed(batch: Batch, *, share: np.float32, order: npt.NDArray[np.int64]) -> Batch:
    """Lays each image of a batch over another one.

    Args:
        batch: B images with one row of allowed findings each.
        share: Of the image itself, in [0, 1].
        order: The index of the other image for each, int `(B,)`.

    Returns:
        A batch with two rows of allowed findings an image.
    """
    inputs, allowed, places = batch
    rest = np.float32(1.0) - share
    return (
        share * inputs + rest * inputs[order],
        np.concatenate([share * allowed, rest * allowed[order]], axis=1),
        share * places + rest * places[order],
    )


def place_of(row: Row, *, warp: Warp, source_size: int) -> Float32Array:
    """Where the tumor of a warped image lies, as a distribution over the cells of the class maps.

    Args:
        row: The image; without a box the result is zero.
        warp: The geometry that was applied.
        source_size: Side of the image before it, in pixels.

    Returns:
        float32 `(h, w, 4)`; the tumor's own channel sums to 1, or everything is 0.
    """
    cells = -(-warp.size // STRIDE)
    places = np.zeros((cells, cells, len(FINDINGS)), np.float32)
    if row.box is None or row.true_label not in TUMORS:
        return places
    x, y, width, height = (value * source_size for value in row.box)
    mask = Image.new("L", (source_size, source_size))
    ImageDraw.Draw(mask).rectangle((x - width / 2, y - height / 2, x + width / 2, y + height / 2), fill=255)
    warped = warp.apply(mask, method=Image.Resampling.BILINEAR)
    covered = np.asarray(warped.resize((cells, cells), Image.Resampling.BOX), np.float32)
    if covered.sum() > 0:
        places[..., FINDINGS.index(row.true_label)] = covered / covered.sum()
    return places


def evaluation_inputs(images: ImageSet, *, size: int, batch_size: int = 16) -> Iterator[Float32Array]:
    """Yields unaugmented inputs in order: float32 `(≤ batch_size, size, size, 3)`."""
    for start in range(0, len(images), batch_size):
        part = images.pixels[start : start + batch_size]
        yield to_input(np.stack([resize(pixels, size=size) for pixels in part]))
