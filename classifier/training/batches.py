"""Batches as a pure function of the step number, so that a resumed run sees exactly what it would have seen."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.preprocessing import DEFAULT, Float32Array, Preprocessing, UInt8Array, resize, to_input
from classifier.training.augment import Augmentation, Warp
from classifier.training.draws import Draws, Sample
from classifier.training.images import ImageSet
from classifier.training.manifest import allowed_findings

Batch = tuple[Float32Array, Float32Array, Float32Array, Float32Array]
"""Inputs `(B, S, S, channels)`, allowed findings `(B, M, 4)`, places `(B, h, w, 4)`, lesions `(B, h, w, 1)`."""

STRIDE = 32
"""Pixels of a cell of the class maps of most networks, which halve their input five times."""

FULL_COVER = 0.5
"""Share of the best-covered cell's coverage from which on a cell counts as lesion entirely."""

LEAST_COVER = 0.1
"""A tumor smaller than this share of a cell makes no cell a full lesion."""


def usual_cells(size: int) -> int:
    """Return the side of the class maps of a network that halves its input five times."""
    return -(-size // STRIDE)


@dataclass(frozen=True, slots=True)
class Batches:
    """Draws augmented training batches.

    Attributes:
        images: What to draw from, loaded with outlines.
        augmentation: How to vary it.
        batch_size: Images per batch.
        seed: With the step number, determines a batch completely.
        official: Whether published labels are learned instead of corrected ones.
        balanced: Whether images are drawn by `Draws`; else all are reshuffled for each epoch.
        mixup_alpha: Parameter of the beta distribution of shares by which two images are laid over each other (mixup,
            Zhang et al., 2018); 0 never mixes.
        parameters: Channels and value range of the inputs.
        cells: Side of the network's class maps for a side of its input; see `map_side`.
    """

    images: ImageSet
    augmentation: Augmentation
    batch_size: int
    seed: int
    official: bool = False
    balanced: bool = True
    mixup_alpha: float = 0.0
    parameters: Preprocessing = DEFAULT
    cells: Callable[[int], int] = usual_cells
    draws: Draws = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the images for drawing."""
        object.__setattr__(self, "draws", Draws(self.images, official=self.official))

    def batch(self, step: int, *, size: int) -> Batch:
        """Make the batch of one step.

        Args:
            step: Number of the step.
            size: Side of the inputs in pixels.

        Returns:
            Inputs float32 `(B, size, size, channels)` in the value range; allowed findings float32 `(B, M, 4)` for
            mixtures of M images, see `partial_label_loss`; where the tumor lies, float32 `(B, h, w, 4)`: a
            distribution over the places of the tumor's own channel, all zero where it is unknown; and which places
            hold a tumor, float32 `(B, h, w, 1)`, see `lesion_of`.
        """
        rng = np.random.default_rng((self.seed, step))
        cells = self.cells(size)
        pixels, labels, places, lesions = [], [], [], []
        for sample in self._samples(step, rng=rng):
            image, warp = self.augmentation(sample.part.pixels, size=size, rng=rng)
            covered = coverage(sample.part.outline, warp=warp, cells=cells)
            pixels.append(image)
            labels.append(allowed_findings(sample.label))
            places.append(place_of(covered, label=sample.label, cells=cells))
            lesions.append(lesion_of(covered, label=sample.label, cells=cells))
        inputs = to_input(np.stack(pixels), parameters=self.parameters)
        plain = inputs, np.array(labels, np.float32)[:, None], np.stack(places), np.stack(lesions)
        if not self.mixup_alpha:
            return plain
        share = np.float32(rng.beta(self.mixup_alpha, self.mixup_alpha))
        return mixed(plain, share=share, order=rng.permutation(len(pixels)))

    def _samples(self, step: int, *, rng: np.random.Generator) -> list[Sample]:
        """Return the images of one step before augmentation."""
        if self.balanced:
            return self.draws.draw(self.batch_size, rng=rng)
        epoch, number = divmod(step, max(1, len(self.images) // self.batch_size))
        order = np.random.default_rng((self.seed, epoch, len(self.images))).permutation(len(self.images))
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        return [self.draws.sample(int(index)) for index in chosen]

    def stream(self, *, start: int, sizes: list[int], workers: int = 1, ahead: int = 4) -> Iterator[Batch]:
        """Yield the batches from step `start` on, prepared ahead in threads.

        Args:
            start: First step.
            sizes: Image side at every step; its length ends the stream.
            workers: Threads that prepare batches.
            ahead: Batches prepared in advance.
        """
        with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
            waiting: list[Future[Batch]] = []
            following = start
            while following < len(sizes) or waiting:
                while following < len(sizes) and len(waiting) < ahead:
                    waiting.append(pool.submit(self.batch, following, size=sizes[following]))
                    following += 1
                yield waiting.pop(0).result()


def mixed(batch: Batch, *, share: np.float32, order: npt.NDArray[np.int64]) -> Batch:
    """Lay each image of a batch over another one.

    Args:
        batch: B images with one row of allowed findings each.
        share: Of the image itself, in [0, 1].
        order: The index of the other image for each, int `(B,)`.

    Returns:
        A batch with two rows of allowed findings per image. A place is known to hold a tumor or not only if it is
        known in both images.
    """
    inputs, allowed, places, lesions = batch
    rest = np.float32(1.0) - share
    known = (lesions >= 0) & (lesions[order] >= 0)
    return (
        share * inputs + rest * inputs[order],
        np.concatenate([share * allowed, rest * allowed[order]], axis=1),
        share * places + rest * places[order],
        np.where(known, share * lesions + rest * lesions[order], np.float32(-1.0)),
    )


def coverage(outline: UInt8Array | None, *, warp: Warp, cells: int) -> Float32Array | None:
    """Return the share of each cell of the class maps that a tumor covers after a warp.

    Args:
        outline: 255 inside the tumor, uint8 `(S, S)`; None if its place is unknown.
        warp: The geometry that was applied.
        cells: Side of the class maps.

    Returns:
        float32 `(cells, cells)` in [0, 1], or None.
    """
    if outline is None:
        return None
    warped = warp.apply(Image.fromarray(outline), method=Image.Resampling.BILINEAR)
    return np.asarray(warped.resize((cells, cells), Image.Resampling.BOX), np.float32) / np.float32(255.0)


def place_of(covered: Float32Array | None, *, label: str, cells: int | None = None) -> Float32Array:
    """Return where a tumor of known type lies, as a distribution over the cells of the class maps.

    Args:
        covered: From `coverage`.
        label: Label of the image.
        cells: Cells per side where `covered` is None.

    Returns:
        float32 `(h, w, 4)`; the tumor's own channel sums to 1, or everything is 0.
    """
    side = len(covered) if covered is not None else int(cells or 1)
    places = np.zeros((side, side, len(FINDINGS)), np.float32)
    if covered is not None and label in TUMORS and covered.sum() > 0:
        places[..., FINDINGS.index(label)] = covered / covered.sum()
    return places


def lesion_of(covered: Float32Array | None, *, label: str, cells: int | None = None) -> Float32Array:
    """Return which cells of the class maps hold a tumor.

    Args:
        covered: From `coverage`.
        label: Label of the image.
        cells: Cells per side where `covered` is None.

    Returns:
        float32 `(h, w, 1)`: 0 without, 1 with a tumor, between the two at its edge; -1 where it is unknown.
    """
    if covered is None:
        side = int(cells or 1)
        return np.full((side, side, 1), 0.0 if label == "notumor" else -1.0, np.float32)
    full = FULL_COVER * max(float(covered.max()), LEAST_COVER)
    lesion: Float32Array = np.minimum(covered / np.float32(full), np.float32(1.0))[..., None]
    return lesion


def evaluation_inputs(
    images: ImageSet, *, size: int, batch_size: int = 16, parameters: Preprocessing = DEFAULT
) -> Iterator[Float32Array]:
    """Yield unaugmented inputs in order: float32 `(≤ batch_size, size, size, channels)`."""
    for start in range(0, len(images), batch_size):
        part = images.pixels[start : start + batch_size]
        yield to_input(np.stack([resize(pixels, size=size) for pixels in part]), parameters=parameters)
