"""The cases of a commissioning as arrays: truth, answer, and what the network gave."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS, TUMOR, TUMORS, Outcome
from classifier.inference.calibration import NOTUMOR

Array = npt.NDArray[Any]

UNKNOWN = -1
"""Label of a case whose truth is none of the four findings."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case that was analyzed.

    Attributes:
        patient: Key of its patient; cases of one patient are not independent.
        truth: One of `READINGS`; "" if it is not known.
        outcome: The outcome of the analysis.
        finding: The finding of the analysis; "" without one.
        probabilities: Calibrated; None if the image was refused.
        logits: The network's raw output; None if the image was refused.
        appearance: Appearance statistics of the image; None if they are not known.
    """

    patient: str
    truth: str
    outcome: str
    finding: str
    probabilities: Sequence[float] | None = field(repr=False)
    logits: Sequence[float] | None = field(repr=False)
    appearance: Sequence[float] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cases:
    """Analyzed cases, as arrays of length N.

    Attributes:
        patients: Key of the patient of each.
        truths: The truth of each.
        answers: Its finding, else its outcome.
        p: Calibrated probabilities, float `(N, 4)`; NaN where the image was refused.
        logits: Raw output, float `(N, 4)`; NaN where the image was refused.
    """

    patients: tuple[str, ...]
    truths: Array
    answers: Array
    p: Array
    logits: Array

    @classmethod
    def of(cls, results: Sequence[CaseResult]) -> Self:
        """Return results as arrays."""
        none = [float("nan")] * len(FINDINGS)
        return cls(
            patients=tuple(item.patient for item in results),
            truths=np.array([item.truth for item in results], object),
            answers=np.array([item.finding or item.outcome for item in results], object),
            p=np.array([item.probabilities or none for item in results], float).reshape(-1, len(FINDINGS)),
            logits=np.array([item.logits or none for item in results], float).reshape(-1, len(FINDINGS)),
        )

    def __len__(self) -> int:
        return len(self.patients)

    def take(self, keep: Array) -> "Cases":
        """Return the cases for which `keep` holds."""
        index = np.flatnonzero(keep)
        return Cases(
            patients=tuple(self.patients[i] for i in index),
            truths=self.truths[index],
            answers=self.answers[index],
            p=self.p[index],
            logits=self.logits[index],
        )

    @property
    def known(self) -> Array:
        """Whether the truth is known."""
        known: Array = self.truths != ""
        return known

    @property
    def refused(self) -> Array:
        """Whether the image was refused."""
        refused: Array = self.answers == Outcome.NOT_BRAIN_MRI
        return refused

    @property
    def uncertain(self) -> Array:
        """Whether the answer is uncertain."""
        uncertain: Array = self.answers == Outcome.UNCERTAIN
        return uncertain

    @property
    def tumor(self) -> Array:
        """Whether the truth is a tumor. Another disease is none."""
        return np.isin(self.truths.astype(str), (*TUMORS, TUMOR))

    @property
    def labels(self) -> Array:
        """Index of the truth in `FINDINGS`; `UNKNOWN` for any other truth."""
        index = {name: number for number, name in enumerate(FINDINGS)}
        return np.array([index.get(truth, UNKNOWN) for truth in self.truths], int)

    @property
    def called_tumor(self) -> Array:
        """Whether the probability of a tumor is at least one half."""
        called: Array = 1.0 - self.p[:, NOTUMOR] >= 0.5
        return called

    @property
    def right(self) -> Array:
        """Whether the answer is right; a tumor of unknown kind, as answer or as truth, is right for every kind."""
        named = np.isin(self.answers.astype(str), (*TUMORS, TUMOR))
        either = (self.answers == TUMOR) | (self.truths == TUMOR)
        right: Array = (self.answers == self.truths) | (named & self.tumor & either)
        return right
