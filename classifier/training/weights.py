"""Sampling weights of images, by label, source and patient."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from classifier.findings import TUMOR
from classifier.training.manifest import Row

SHARES: dict[str, float] = {
    "glioma": 0.22,
    "meningioma": 0.25,
    "notumor": 0.20,
    "pituitary": 0.17,
    TUMOR: 0.16,
}
"""Share of each label in a batch. Tumors of unknown type come from the sources of "no tumor", so about as many
of them as of "no tumor" images keep the source from telling the two apart."""


def sampling_weights(rows: tuple[Row, ...], *, shares: dict[str, float] | None = None) -> npt.NDArray[np.float64]:
    """Return the probability of drawing each image.

    Labels are drawn by `shares`; within a label, sources by the root of their size, so that rare sources are seen
    more often without overfitting to them; within a source, groups (patients) by the root of theirs, so that a patient
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
