"""Draw training images so that tumor and no tumor share sources, sequences and skulls.

Every draw gives one image or a pair that differs in the tumor alone: a slice and the same slice with its tumor taken
out, two slices of one patient and sequence, or a head without and with an inserted tumor.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from classifier.findings import TUMOR, TUMORS
from classifier.inference.preprocessing import UInt8Array
from classifier.training.counterfactuals import Slice, insert_tumor, replace_by_mirrored, replace_elsewhere
from classifier.training.heads import MirrorAxis, mirror_axis
from classifier.training.images import ImageSet
from classifier.training.skulls import add_skull, strip_skull
from classifier.training.weights import sampling_weights

Generator = np.random.Generator
TRIES = 4
"""An operation that fails on one image, such as a tumor on the midline, is tried on this many."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Relative rates of the kinds of draws, and rates of the changes made to an image afterwards.

    Attributes:
        typed: A tumor of known type of the main data set.
        erased: A pair: an outlined tumor, and the same slice without it.
        patient: A pair: slices with and without a tumor of one patient of another hospital and one sequence.
        inserted: A pair: an image without a tumor, and with one inserted.
        hospital: A tumor of another hospital without a partner.
        partial: A tumor of unknown type.
        healthy: An image without a tumor, of any source.
        seam: Probability that tissue is replaced where there is no tumor.
        strip: Probability that a skull is removed.
        skull: Probability that a stripped brain is put into a skull.
    """

    typed: float = 3.5
    erased: float = 3.0
    patient: float = 1.6
    inserted: float = 1.6
    hospital: float = 0.8
    partial: float = 1.0
    healthy: float = 1.5
    seam: float = 0.12
    strip: float = 0.2
    skull: float = 0.3


KINDS = ("typed", "erased", "patient", "inserted", "hospital", "partial", "healthy")


@dataclass(frozen=True, slots=True)
class Sample:
    """One training image before augmentation.

    Attributes:
        part: The image and its outline.
        label: A finding, or `tumor` of unknown type.
        index: The image of the set that it was made from.
    """

    part: Slice
    label: str
    index: int


@dataclass(slots=True)
class Draws:
    """Draws samples from a training set.

    Attributes:
        images: What to draw from, loaded with outlines.
        shares: How often each kind of draw is made.
        official: Whether published labels are learned instead of corrected ones.
    """

    images: ImageSet
    shares: Shares = field(default_factory=Shares)
    official: bool = False
    _axes: dict[int, MirrorAxis] = field(default_factory=dict, repr=False)
    _pools: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = field(default_factory=dict, repr=False)
    _partners: dict[tuple[str, str], list[int]] = field(default_factory=dict, repr=False)
    _skulls: list[int] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Sort the images into what each kind of draw chooses from."""
        rows, outlined = self.images.rows, self.images.outlines
        partners: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            if row.use and row.true_label == "notumor":
                partners[row.group, row.sequence].append(index)
        self._partners = dict(partners)
        typed = [i for i, row in enumerate(rows) if row.true_label in TUMORS and not row.use]
        paired = [i for i, row in enumerate(rows) if row.true_label in TUMORS and self._key(i) in partners]
        pools = {
            "typed": typed,
            "erased": [i for i in [*typed, *paired] if i in outlined],
            "patient": paired,
            "inserted": [i for i, row in enumerate(rows) if row.true_label == "notumor"],
            "hospital": [i for i, row in enumerate(rows) if row.true_label in TUMORS and row.use and i not in paired],
            "partial": [i for i, row in enumerate(rows) if row.partial],
            "healthy": [i for i, row in enumerate(rows) if row.true_label == "notumor"],
        }
        if not outlined:
            pools["inserted"] = []
        for kind, pool in pools.items():
            if pool:
                weights = sampling_weights(tuple(rows[i] for i in pool))
                self._pools[kind] = (np.array(pool), weights)
        self._skulls = [i for i in pools["healthy"] if not rows[i].stripped]

    def draw(self, count: int, *, rng: Generator) -> list[Sample]:
        """Draw samples.

        Args:
            count: How many; the last pair may be cut in two.
            rng: Source of all randomness.
        """
        kinds = [kind for kind in KINDS if kind in self._pools]
        weights = np.array([getattr(self.shares, kind) for kind in kinds])
        samples: list[Sample] = []
        while len(samples) < count:
            kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
            samples += getattr(self, f"_{kind}")(rng)
        return [self._changed(sample, rng=rng) for sample in samples[:count]]

    def sample(self, index: int) -> Sample:
        """Return one image of the set as it is."""
        row = self.images.rows[index]
        label = row.label if self.official and not row.use else row.true_label
        return Sample(Slice(self.images.pixels[index], self.images.outlines.get(index)), label, index)

    def _typed(self, rng: Generator) -> list[Sample]:
        return [self.sample(self._pick("typed", rng))]

    def _hospital(self, rng: Generator) -> list[Sample]:
        return [self.sample(self._pick("hospital", rng))]

    def _partial(self, rng: Generator) -> list[Sample]:
        return [self.sample(self._pick("partial", rng))]

    def _healthy(self, rng: Generator) -> list[Sample]:
        return [self.sample(self._pick("healthy", rng))]

    def _erased(self, rng: Generator) -> list[Sample]:
        for _ in range(TRIES):
            original = self.sample(self._pick("erased", rng))
            assert original.part.outline is not None
            pixels = replace_by_mirrored(
                original.part.pixels, original.part.outline, axis=self._axis(original.index), rng=rng
            )
            if pixels is not None:
                return [original, Sample(Slice(pixels), "notumor", original.index)]
        return [original]

    def _patient(self, rng: Generator) -> list[Sample]:
        tumor = self._pick("patient", rng)
        partners = self._partners[self._key(tumor)]
        return [self.sample(tumor), self.sample(partners[rng.integers(len(partners))])]

    def _inserted(self, rng: Generator) -> list[Sample]:
        host = self.sample(self._pick("inserted", rng))
        outlined = list(self.images.outlines)
        for _ in range(TRIES):
            donor = self.sample(outlined[rng.integers(len(outlined))])
            part = insert_tumor(host.part.pixels, donor.part, rng=rng)
            if part is not None:
                return [host, Sample(part, TUMOR, host.index)]
        return [host]

    def _changed(self, sample: Sample, *, rng: Generator) -> Sample:
        """Change what must say nothing about the label: a seam, and the skull."""
        part, row = sample.part, self.images.rows[sample.index]
        outlined = list(self.images.outlines)
        if outlined and rng.random() < self.shares.seam:
            shape = self.images.outlines[outlined[rng.integers(len(outlined))]]
            pixels = replace_elsewhere(part, shape=shape, axis=self._axis(sample.index), rng=rng)
            if pixels is not None and (part.outline is not None or sample.label == "notumor"):
                part = Slice(pixels, part.outline)
        changed: Slice | None = None
        if row.stripped and self._skulls and rng.random() < self.shares.skull:
            host: UInt8Array = self.images.pixels[self._skulls[rng.integers(len(self._skulls))]]
            changed = add_skull(part, host=host, rng=rng)
        elif not row.stripped and rng.random() < self.shares.strip and not self._may_lose_tumor(sample):
            changed = strip_skull(part, rng=rng)
        return Sample(changed or part, sample.label, sample.index)

    @staticmethod
    def _may_lose_tumor(sample: Sample) -> bool:
        """Return whether a tumor of unknown place could go with the skull."""
        return sample.label != "notumor" and sample.part.outline is None

    def _pick(self, kind: str, rng: Generator) -> int:
        pool, weights = self._pools[kind]
        return int(pool[rng.choice(len(pool), p=weights)])

    def _axis(self, index: int) -> MirrorAxis:
        if index not in self._axes:
            self._axes[index] = mirror_axis(self.images.pixels[index])
        return self._axes[index]

    def _key(self, index: int) -> tuple[str, str]:
        row = self.images.rows[index]
        return row.group, row.sequence
