"""Read the images of other hospitals: which may be trained on, which only check, and the outlines of tumors."""

import csv
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from classifier.findings import FINDINGS, TUMOR, TUMORS
from classifier.training.manifest import (
    EXTRA_NAME,
    FOLDS,
    MANIFEST_NAME,
    ManifestError,
    Row,
    read_extra,
    read_manifest,
    read_records,
)

TRAIN, CHECK = "train", "check"
OTHER_DISEASE = "other_disease"
"""Not a tumor, but not healthy: trained as `notumor`, reported in its own row."""

LABELS = (*FINDINGS, TUMOR, OTHER_DISEASE)
REQUIRED = ("file", "use", "set", "patient", "slice", "sequence", "label", "skull", "licence", "source")
OUTLINES_NAME = "masks"
BOXES_NAME = "boxes.csv"
ANONYMOUS = "unknown"
"""A set of unknown patients is grouped by runs of consecutive slice numbers instead."""

ANONYMOUS_RUN = 20
VALIDATION_PERCENT = 12
"""Share of the training patients of other hospitals that validate."""


@dataclass(frozen=True, slots=True)
class Data:
    """The images of one or more data folders, by what they may be used for.

    Attributes:
        rows: Fully labeled images with folds.
        extra: Tumors of unknown type with folds.
        train: Images of other hospitals that may be trained on.
        check: Images of other hospitals that are only measured.
    """

    rows: tuple[Row, ...]
    extra: tuple[Row, ...] = ()
    train: tuple[Row, ...] = ()
    check: tuple[Row, ...] = ()


def read_data(folders: Path | Sequence[Path], *, extra: bool = True) -> Data:
    """Read the manifests of data folders.

    Args:
        folders: One or more folders with a `manifest.csv`. A manifest with a column `use` lists images of other
            hospitals; the other kind is described at `read_manifest`. Exactly one folder must be of that kind.
        extra: Whether to read the tumors of unknown type, where there are any.

    Returns:
        All rows. Known images have the outlines that a folder of other hospitals holds for them.

    Raises:
        ManifestError: If a folder has no manifest, a row is wrong, or an image or patient is on both sides.
    """
    folders = [folders] if isinstance(folders, Path) else list(folders)
    kinds = {folder: _is_hospitals(folder) for folder in folders}
    main = [folder for folder, hospitals in kinds.items() if not hospitals]
    if len(main) != 1:
        names = ", ".join(str(folder) for folder in folders)
        raise ManifestError(f"Exactly one data folder must hold a manifest with folds. Received: {names}")
    rows = read_manifest(main[0])
    partial = read_extra(main[0]) if extra and (main[0] / EXTRA_NAME).is_file() else []
    hospitals: list[Row] = []
    for folder in (folder for folder, hospital in kinds.items() if hospital):
        hospitals += read_hospitals(folder)
        rows = [with_known_outline(row, folder=folder) for row in rows]
    return Data(
        rows=tuple(rows),
        extra=tuple(partial),
        train=tuple(row for row in hospitals if row.use == TRAIN),
        check=tuple(row for row in hospitals if row.use == CHECK),
    )


def read_hospitals(folder: Path) -> list[Row]:
    """Read the manifest of a folder of other hospitals.

    Raises:
        ManifestError: If the manifest is missing or lacks columns; if a row has an unknown use or label, or names a
            file of an unknown set; if an image or a patient is used for both training and checking.
    """
    boxes = _boxes(folder)
    records = read_records(folder / MANIFEST_NAME, required=REQUIRED)
    rows = [_row(record, folder=folder, boxes=boxes) for record in records]
    _check_uses(rows)
    return rows


def with_known_outline(row: Row, *, folder: Path) -> Row:
    """Return the row with the outline that `folder/masks` holds for its source file, if there is one."""
    source = Path(row.file)
    path = folder / OUTLINES_NAME / f"{source.parent.name}__{source.stem}.png"
    return replace(row, outline=path) if row.true_label in TUMORS and path.is_file() else row


def is_validation(row: Row) -> bool:
    """Return whether a training image of another hospital validates: whole patients, by a stable hash."""
    return zlib.crc32(row.group.encode()) % 100 < VALIDATION_PERCENT


def check_outlines(rows: Iterable[Row]) -> None:
    """Check that every outline can be read and, in a set of another hospital, has the size of its image.

    Outlines of known images were drawn on copies of other sizes and proportions; both are stretched to the same
    square before use.

    Raises:
        ManifestError: If an outline must not be used; the message names the row.
    """
    for row in rows:
        if row.outline is None:
            continue
        try:
            with Image.open(row.outline) as outline, Image.open(row.path) as image:
                sizes = outline.size, image.size
        except OSError as error:
            raise ManifestError(f"The outline of {row.file} cannot be read ({error}). Restore it.") from None
        if row.use and sizes[0] != sizes[1]:
            raise ManifestError(
                f"The outline of {row.file} has another size than its image. Correct {row.outline.name}. "
                f"Received: {sizes[0]}, image {sizes[1]}"
            )


def _is_hospitals(folder: Path) -> bool:
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ManifestError(f"{path} does not exist. Point --data at folders that hold {MANIFEST_NAME}.")
    with path.open(newline="", encoding="utf-8") as stream:
        return "use" in next(csv.reader(stream), [])


def _row(record: dict[str, str], *, folder: Path, boxes: dict[str, tuple[float, float, float, float]]) -> Row:
    file, name = record["file"], record["set"]
    problems = {
        "use": (record["use"], (TRAIN, CHECK)),
        "label": (record["label"], LABELS),
        "set": (name, (Path(file).parts[0],)),
    }
    for column, (value, known) in problems.items():
        if value not in known:
            raise ManifestError(
                f"{file} has the unknown {column} {value!r}. Known values: {', '.join(known)}. Correct the manifest."
            )
    outline = folder / name / OUTLINES_NAME / f"{Path(file).stem}.png"
    patient = record["patient"]
    if patient == ANONYMOUS:
        number = int("".join(filter(str.isdigit, record["slice"])) or 0)
        patient = f"{Path(file).stem.partition(record['slice'])[0]}:{number // ANONYMOUS_RUN}"
    label = record["label"]
    return Row(
        image=file,
        file=file,
        mirrored=False,
        label=label,
        true_label="notumor" if label == OTHER_DISEASE else label,
        split="",
        source=name,
        group=f"{name}:{patient}",
        twin_group=file,
        fold=FOLDS,
        box=boxes.get(file),
        folder=folder,
        outline=outline if label in (*TUMORS, TUMOR) and outline.is_file() else None,
        sequence=record["sequence"],
        stripped=record["skull"] == "stripped",
        use=record["use"],
        licence=record["licence"],
    )


def _boxes(folder: Path) -> dict[str, tuple[float, float, float, float]]:
    """Return the largest box of each image that a set lists in `boxes.csv`, as fractions of the image."""
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for path in sorted(folder.glob(f"*/{BOXES_NAME}")):
        for record in read_records(path, required=("file", "cx", "cy", "w", "h")):
            box = (float(record["cx"]), float(record["cy"]), float(record["w"]), float(record["h"]))
            earlier = boxes.get(record["file"])
            if earlier is None or earlier[2] * earlier[3] < box[2] * box[3]:
                boxes[record["file"]] = box
    return boxes


def _check_uses(rows: Iterable[Row]) -> None:
    uses: dict[tuple[str, str], str] = {}
    for row in rows:
        for kind, name in (("image", row.file), ("patient", row.group)):
            if uses.setdefault((kind, name), row.use) != row.use:
                raise ManifestError(
                    f"{row.file}: its {kind} {name} is used for both training and checking. Correct the manifest."
                )
