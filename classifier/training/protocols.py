"""The three data protocols: which images train, which choose settings, and which are the final test."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from classifier.training import hospitals
from classifier.training.hospitals import Data
from classifier.training.manifest import FOLDS, ManifestError, Row

PROTOCOLS = ("official", "purged", "patient")
VALIDATION_PERCENT = 50
"""Share of one training fold's groups that validates: an eighth of the training images is enough to stop on,
and every further one would be missed in training."""


@dataclass(frozen=True, slots=True)
class Split:
    """The images of one protocol, by their use.

    Attributes:
        protocol: A name of `PROTOCOLS`.
        train: Images to learn from; includes partially labeled ones.
        validation: Images of the training side that only choose settings.
        test: Images of the final figure; fully labeled.
        extra_test: Partially labeled tumors that were held out with the test.
        check: Images of other hospitals that are only measured.
    """

    protocol: str
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    extra_test: tuple[Row, ...] = ()
    check: tuple[Row, ...] = ()

    @property
    def official_labels(self) -> bool:
        """Whether scores count against the published labels rather than the corrected ones."""
        return self.protocol != "patient"

    @property
    def may_mirror(self) -> bool:
        """Whether mirroring is harmless. Under `official` it would recreate near-duplicates of test images."""
        return self.protocol != "official"


def make_split(data: Data, *, protocol: str, test_fold: int = 0, validate: bool = True) -> Split:
    """Divide images by a protocol.

    Args:
        data: All images. Tumors of unknown type of the test fold never train. Training images of other hospitals
            train under every protocol, since none of them is in a test part.
        protocol: `official`, `purged` or `patient`.
        test_fold: Fold of the final figure under `patient`.
        validate: Whether to hold a validation part out of the training images.

    Returns:
        The split. Training and validation keep one image of each twin group (all of them under `official`).

    Raises:
        ManifestError: If the protocol is unknown or the split leaks.
    """
    rows, extra = data.rows, data.extra
    if protocol not in PROTOCOLS:
        raise ManifestError(f"The protocol must be one of {', '.join(PROTOCOLS)}. Received: {protocol!r}")
    if protocol == "patient":
        test = [row for row in rows if row.fold == test_fold]
        training = _one_of_each_group(row for row in rows if row.fold != test_fold)
    else:
        test = [row for row in rows if row.split == "test"]
        training = [row for row in rows if row.split == "train"]
    if protocol == "purged":
        tested = {row.twin_group for row in test}
        training = _one_of_each_group(row for row in training if row.twin_group not in tested)
    training += [row for row in extra if row.fold != test_fold]
    training += data.train
    validation = [row for row in training if validate and is_validation(row, test_fold=test_fold)]
    chosen = {row.image for row in validation}
    split = Split(
        protocol=protocol,
        train=tuple(row for row in training if row.image not in chosen),
        validation=tuple(validation),
        test=tuple(test),
        extra_test=tuple(row for row in extra if row.fold == test_fold),
        check=data.check,
    )
    check_split(split)
    return split


def is_validation(row: Row, *, test_fold: int = 0) -> bool:
    """Return whether a training image validates: whole groups, from one fold, chosen by a stable hash."""
    if row.use:
        return hospitals.is_validation(row)
    validation_fold = (test_fold + 1) % FOLDS
    return row.fold == validation_fold and zlib.crc32(row.group.encode()) % 100 < VALIDATION_PERCENT


def check_split(split: Split) -> None:
    """Stop on a split whose parts share what its protocol says they do not.

    Raises:
        ManifestError: If training shares a patient group with validation, or with the test under `patient`,
            or a picture with the test under `purged`; if it holds a check-only image; or if a part is empty.
    """
    if not split.train or not split.test:
        raise ManifestError(f"Protocol {split.protocol} leaves no training or no test images. Check the manifest.")
    if _groups(split.train) & _groups(split.validation):
        raise ManifestError("The split leaks: training and validation share a group. Make the folds again.")
    training = (*split.train, *split.validation)
    if checked := next((row for row in training if row.use == hospitals.CHECK), None):
        raise ManifestError(f"{checked.file} may only check, but would be trained on. Correct the manifest.")
    if _groups(training) & _groups(split.check):
        raise ManifestError("The split leaks: training and check images share a patient. Correct the manifest.")
    if split.protocol == "patient" and _groups(training) & _groups((*split.test, *split.extra_test)):
        raise ManifestError("The split leaks: training and test share a group. Make the folds again.")
    if split.protocol == "purged" and _twins(training) & _twins(split.test):
        raise ManifestError("The split leaks: training and test share a picture. Make the twin groups again.")


def halves(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Divide images into two group-disjoint halves by a stable hash, one to fit on and one to report on."""
    rows = list(rows)
    first = [row for row in rows if zlib.crc32(row.group.encode()) % 2 == 0]
    chosen = {row.image for row in first}
    return first, [row for row in rows if row.image not in chosen]


def _one_of_each_group(rows: Iterable[Row]) -> list[Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.twin_group, row)
    return list(first.values())


def _groups(rows: Iterable[Row]) -> set[str]:
    return {row.group for row in rows}


def _twins(rows: Iterable[Row]) -> set[str]:
    return {row.twin_group for row in rows}
