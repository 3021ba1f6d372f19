"""The pictures behind a figure: where they lie on this server, and whether their license allows showing them."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from classifier.comparison.evaluations import Evaluation
from classifier.findings import FINDINGS
from classifier.training.hospitals import REQUIRED
from classifier.training.manifest import MANIFEST_NAME, ManifestError, read_records
from classifier.training.predictions import SAMPLE, TEST

LICENSES = {"figshare": "CC BY 4.0", "br35h": "CC0", "other": "CC0"}
"""Licenses of the main data set, whose manifest has no such column: of its origin, else as its publisher states it."""

OPEN = re.compile(r"(CC0|CC BY \d|CC BY \(|PDDL|MIT|Apache)")
CLOSED = re.compile(r"-NC|-ND|\bNC\b|not stated")


@dataclass(frozen=True, slots=True)
class Picture:
    """One measured image.

    Attributes:
        number: Its line among the predictions of the evaluation, from 0.
        source: Where the picture came from.
        file: Its path in its data folder.
        mirrored: Whether it was mirrored left-right.
        patient: Its patient, or cluster of near-duplicates.
        probabilities: What the model said, in the order of `FINDINGS`.
        license: Its license; "" if unknown.
        path: The file on this server; None if it is not installed or its license does not allow showing it.
    """

    number: int
    source: str
    file: str
    mirrored: bool
    patient: str
    probabilities: tuple[float, ...]
    license: str
    path: Path | None


def cell_pictures(evaluation: Evaluation, *, label: str, called: str, folders: Sequence[Path]) -> list[Picture]:
    """Return the test images of one cell of the confusion matrix, the most certain answers first.

    Args:
        evaluation: The evaluation.
        label: The finding that the images show.
        called: The most probable finding that the model gave.
        folders: Data folders with manifests; none if the images are not installed.
    """
    sample = evaluation.sample
    is_test = np.array([image[0] == TEST for image in sample.images], bool)
    answers = sample.p.argmax(axis=1) if len(sample) else np.array([], int)
    wanted = is_test & (sample.labels == FINDINGS.index(label)) & (answers == FINDINGS.index(called))
    numbers = sorted(np.flatnonzero(wanted), key=lambda number: -sample.p[number].max())
    return [_picture(evaluation, int(number), folders=folders) for number in numbers]


def picture(evaluation: Evaluation, number: int, *, folders: Sequence[Path]) -> Picture | None:
    """Return one measured image by its number; None if there is none."""
    return _picture(evaluation, number, folders=folders) if 0 <= number < len(evaluation.sample) else None


def may_be_shown(license: str) -> bool:
    """Return True if a license is known to allow showing a picture to others, without further conditions of use."""
    return bool(OPEN.match(license)) and not CLOSED.search(license)


def _picture(evaluation: Evaluation, number: int, *, folders: Sequence[Path]) -> Picture:
    sample = evaluation.sample
    part, source, file, mirrored = sample.images[number]
    license = LICENSES.get(source, "") if part != SAMPLE else "CC0"
    found: Path | None = None
    for folder in folders:
        stated = _licenses(folder).get(file) if part not in (TEST, SAMPLE) else license
        if stated is not None and (path := _inside(folder, file)) is not None:
            license, found = stated, path
            break
    return Picture(
        number=number,
        source=source,
        file=file,
        mirrored=mirrored,
        patient=sample.groups[number],
        probabilities=tuple(float(value) for value in sample.p[number]),
        license=license,
        path=found if may_be_shown(license) else None,
    )


@lru_cache(maxsize=8)
def _licenses(folder: Path) -> dict[str, str]:
    """Return the licenses that the manifest of a folder of other hospitals states; empty for any other folder."""
    try:
        return {row["file"]: row["licence"] for row in read_records(folder / MANIFEST_NAME, required=REQUIRED)}
    except ManifestError:
        return {}


def _inside(folder: Path, file: str) -> Path | None:
    """Return the file if it lies in the folder; a path that leads out of it is none."""
    root = _root(folder)
    # To resolve a path takes several times as long as to see that there is no file, and most images are not installed.
    if not os.path.isfile(os.path.join(root, file)):
        return None
    path = (root / file).resolve()
    return path if path.is_file() and path.is_relative_to(root) else None


@lru_cache(maxsize=8)
def _root(folder: Path) -> Path:
    """Return a data folder without links. It stays where it is while the server runs."""
    return folder.resolve()
