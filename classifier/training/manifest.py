"""Read and check image manifests: labels, sources, and which images belong together."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from classifier.findings import FINDINGS, TUMOR, TUMORS

FOLDS = 5

MANIFEST_NAME = "manifest.csv"
EXTRA_NAME = "extra_tumors.csv"
REQUIRED = ("image", "split", "label", "true_label", "file", "mirrored", "source", "group", "twin_group", "fold")
EXTRA_REQUIRED = ("image", "label", "file", "source", "group", "twin_group", "fold")


class ManifestError(Exception):
    """A manifest that must not be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a manifest.

    Attributes:
        image: Its name in the dataset.
        file: Path of the source file, relative to the data folder.
        mirrored: Whether the source file must be mirrored left-right to get the image.
        label: The published label, one of `FINDINGS`, or `tumor`.
        true_label: The corrected label.
        split: `train` or `test` in the published split; empty for extra tumors.
        source: Where the picture came from.
        group: Images of one patient (or near-duplicate cluster); never split between folds.
        twin_group: Images that are the same picture, mirrored or not.
        fold: 0–4; fold 0 is the locked test.
        box: Tumor box `(center x, center y, width, height)` as fractions of the image, where known.
        folder: The data folder that `file` is relative to.
        outline: Path of the tumor's outline, a mask of the source file's size (0 or 255); None where unknown.
        sequence: MR sequence of an image of another hospital, such as `FLAIR`; else empty.
        stripped: Whether the skull was removed before the image was published.
        use: `train` or `check` for images of other hospitals; else empty.
        licence: License of an image of another hospital; else empty.
    """

    image: str
    file: str
    mirrored: bool
    label: str
    true_label: str
    split: str
    source: str
    group: str
    twin_group: str
    fold: int
    box: tuple[float, float, float, float] | None = None
    folder: Path = Path()
    outline: Path | None = None
    sequence: str = ""
    stripped: bool = False
    use: str = ""
    licence: str = ""

    @property
    def path(self) -> Path:
        """Path of the source file."""
        return self.folder / self.file

    @property
    def partial(self) -> bool:
        """Whether only "some tumor" is known."""
        return self.true_label == TUMOR


def read_manifest(folder: Path) -> list[Row]:
    """Read `manifest.csv` of a data folder.

    Raises:
        ManifestError: If the file is missing, lacks columns, holds unknown labels or splits a group.
    """
    records = read_records(folder / MANIFEST_NAME, required=REQUIRED)
    rows = [_row(record, labels=FINDINGS, folder=folder) for record in records]
    check_groups(rows)
    return rows


def read_extra(folder: Path) -> list[Row]:
    """Read `extra_tumors.csv` of a data folder: tumors of unknown type. See `read_manifest`."""
    records = read_records(folder / EXTRA_NAME, required=EXTRA_REQUIRED)
    rows = [_row(record, labels=(TUMOR,), folder=folder) for record in records]
    check_groups(rows)
    return rows


def check_groups(rows: Iterable[Row]) -> None:
    """Stop on a leaking split.

    Raises:
        ManifestError: If a patient group or twin group lies in more than one fold.
    """
    folds: dict[tuple[str, str], int] = {}
    for row in rows:
        for kind, name in (("group", row.group), ("twin_group", row.twin_group)):
            if folds.setdefault((kind, name), row.fold) != row.fold:
                raise ManifestError(
                    f"The manifest leaks: {kind} {name} lies in folds {folds[kind, name]} and {row.fold}. "
                    "Make the folds again so that no group is split."
                )


def targets(row: Row, *, official: bool = False) -> tuple[float, ...]:
    """Return the label as a row of `FINDINGS`: one 1 for a known finding, three for "some tumor"."""
    return allowed_findings(row.label if official and not row.use else row.true_label)


def allowed_findings(label: str) -> tuple[float, ...]:
    """Return a label as a row of `FINDINGS`: one 1 for a known finding, three for `tumor`."""
    allowed = TUMORS if label == TUMOR else (label,)
    return tuple(float(name in allowed) for name in FINDINGS)


def read_records(path: Path, *, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header.

    Raises:
        ManifestError: If the file is missing or lacks a required column.
    """
    if not path.is_file():
        raise ManifestError(f"{path} does not exist. Point --data at the folder that holds {path.name}.")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in required if name not in (reader.fieldnames or ())]
        if missing:
            raise ManifestError(f"{path.name} lacks the columns {', '.join(missing)}. Use the documented form.")
        return list(reader)


def _row(record: dict[str, str], *, labels: tuple[str, ...], folder: Path) -> Row:
    label, true_label = record["label"], record.get("true_label") or record["label"]
    for value in (label, true_label):
        if value not in labels:
            raise ManifestError(
                f"{record['image']} has the unknown label {value!r}. Known labels: {', '.join(labels)}. "
                "Correct the manifest."
            )
    if not record["fold"].isdigit() or int(record["fold"]) >= FOLDS:
        raise ManifestError(
            f"{record['image']} has the fold {record['fold']!r}. Folds are 0 to {FOLDS - 1}. Correct the manifest."
        )
    return Row(
        image=record["image"],
        file=record["file"],
        mirrored=record.get("mirrored", "0") == "1",
        label=label,
        true_label=true_label,
        split=record.get("split", ""),
        source=record["source"],
        group=record["group"],
        twin_group=record["twin_group"],
        fold=int(record["fold"]),
        box=_box(record),
        folder=folder,
    )


def _box(record: dict[str, str]) -> tuple[float, float, float, float] | None:
    values = [record.get(name) or "" for name in ("box_cx", "box_cy", "box_w", "box_h")]
    if not all(values):
        return None
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height
