"""Images on which two models disagree, from their evaluation files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from classifier.comparison.evaluations import UNKNOWN, Array, Evaluation, Sample
from classifier.comparison.pictures import Picture, picture
from classifier.findings import FINDINGS, TUMOR, TUMORS, Outcome
from classifier.inference.ood import LIMIT


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One image that both models were measured on, with different answers.

    Attributes:
        number: Its line among the predictions of the first model.
        part: Why it was measured.
        source: Where the picture came from.
        file: Its path in its data folder.
        truth: What it shows; `tumor` for one of unknown kind, "" for another disease.
        answers: The answer of each model: its most probable finding, or that the image was refused.
        probabilities: The probability of each answer; None where the image was refused.
    """

    number: int
    part: str
    source: str
    file: str
    truth: str
    answers: tuple[str, str]
    probabilities: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The images on which two models disagree.

    Attributes:
        both: Number of images that both were measured on.
        first_right: Of those with different answers, those where only the first model is right.
        second_right: Those where only the second model is right.
        both_right: Those where both are right: they name different kinds of a tumor whose kind is not known.
        unknown: Those that show another disease, for which no answer is right.
        items: All of them, the most certain answers first.
    """

    both: int
    first_right: int
    second_right: int
    both_right: int
    unknown: int
    items: tuple[Disagreement, ...]

    @property
    def neither(self) -> int:
        """Those where neither is right."""
        return len(self.items) - self.first_right - self.second_right - self.both_right - self.unknown


@lru_cache(maxsize=64)
def disagreements_of(first: Evaluation, second: Evaluation) -> Disagreements:
    """Return the images that both models were measured on and answer differently."""
    place = {image: number for number, image in enumerate(second.sample.images)}
    pairs = [(i, place[image]) for i, image in enumerate(first.sample.images) if image in place]
    sides = [_answers(first.sample), _answers(second.sample)]
    found = [(i, j) for i, j in pairs if sides[0][0][i] != sides[1][0][j]]
    items = [_item(first.sample, i, j, sides) for i, j in found]
    right = [[_is_right(item.answers[side], item.truth) for item in items] for side in (0, 1)]
    judged = list(zip(*right, strict=True))
    return Disagreements(
        both=len(pairs),
        first_right=judged.count((True, False)),
        second_right=judged.count((False, True)),
        both_right=judged.count((True, True)),
        unknown=sum(not item.truth for item in items),
        items=tuple(sorted(items, key=lambda item: -sum(value or 0.0 for value in item.probabilities))),
    )


def _is_right(answer: str, truth: str) -> bool:
    return answer in TUMORS if truth == TUMOR else answer == truth


def picture_of(evaluation: Evaluation, item: Disagreement, *, folders: Sequence[Path]) -> Picture | None:
    """Return the picture of an image; None if it is not installed, or its license does not allow showing it."""
    found = picture(evaluation, item.number, folders=folders) if folders else None
    return found if found is not None and found.path is not None else None


def _answers(sample: Sample) -> tuple[Array, Array]:
    """Return the answers of a model and their probabilities, NaN where the image was refused."""
    if not len(sample):
        return np.array([], object), np.array([], float)
    refused = sample.ood > LIMIT
    names = np.array(FINDINGS, object)[sample.p.argmax(axis=1)]
    return np.where(refused, str(Outcome.NOT_BRAIN_MRI), names), np.where(refused, np.nan, sample.p.max(axis=1))


def _item(sample: Sample, i: int, j: int, sides: list[tuple[Array, Array]]) -> Disagreement:
    part, source, file, _ = sample.images[i]
    label = int(sample.labels[i])
    values = (float(sides[0][1][i]), float(sides[1][1][j]))
    return Disagreement(
        number=i,
        part=part,
        source=source,
        file=file,
        truth=FINDINGS[label] if label != UNKNOWN else TUMOR if sample.tumor[i] else "",
        answers=(str(sides[0][0][i]), str(sides[1][0][j])),
        probabilities=tuple(None if np.isnan(value) else value for value in values),  # type: ignore[arg-type]
    )
