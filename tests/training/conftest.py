"""A small data set in the documented form: drawn heads, with a blob where each kind of tumor lies."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from classifier.findings import FINDINGS
from classifier.training import hospitals
from classifier.training.manifest import EXTRA_NAME, EXTRA_REQUIRED, MANIFEST_NAME, REQUIRED

PLACES = {"glioma": (0.3, 0.3), "meningioma": (0.7, 0.35), "pituitary": (0.5, 0.7), "tumor": (0.3, 0.65)}
HOSPITAL_COLUMNS = hospitals.REQUIRED
BOX_COLUMNS = ("box_cx", "box_cy", "box_w", "box_h")


def draw_head(path: Path, *, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    head = Image.new("L", (96, 96), 0)
    pen = ImageDraw.Draw(head)
    pen.ellipse((8 + seed % 5, 6, 86, 90 - seed % 7), fill=70 + seed % 40)
    if label in PLACES:
        x, y = (96 * value for value in PLACES[label])
        pen.ellipse((x - 9, y - 9, x + 9, y + 9), fill=235)
    noisy = np.asarray(head, np.float32) + rng.normal(0, 6, (96, 96))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)


def write_rows(path: Path, *, columns, rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns)
        writer.writeheader()
        writer.writerows(rows)


def manifest_rows(folder: Path, *, per_class: int = 20) -> list[dict]:
    rows = []
    for number, label in enumerate(FINDINGS):
        for index in range(per_class):
            file = f"images/{label}{index}.png"
            draw_head(folder / file, label=label, seed=100 * number + index)
            group = index // 2  # Two images a patient.
            box = dict(zip(BOX_COLUMNS, (*PLACES[label], 0.2, 0.2), strict=True)) if label in PLACES else {}
            rows.append(
                {
                    "image": f"Training/{label}/{index}.png",
                    "split": "test" if index % 4 == 0 else "train",
                    "label": label,
                    "true_label": label,
                    "file": file,
                    "mirrored": 0,
                    "source": "b" if label == "notumor" else "a",
                    "group": f"{label}{group}",
                    "twin_group": f"{label}{index}",
                    "fold": group % 5,
                }
                | box
            )
    twin = rows[1] | {"image": "Testing/glioma/twin.png", "split": "test", "mirrored": 1}
    return [*rows, twin]


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory) -> tuple[Path, list[dict], list[dict]]:
    folder = tmp_path_factory.mktemp("data")
    extra = []
    for index in range(10):
        file = f"images/tumor{index}.png"
        draw_head(folder / file, label="tumor", seed=900 + index)
        values = (f"tumor/{index}", "tumor", file, "b", f"e{index}", f"e{index}", index % 5)
        extra.append(dict(zip(EXTRA_REQUIRED, values, strict=True)))
    return folder, manifest_rows(folder), extra


@pytest.fixture
def records(_drawn) -> list[dict]:
    """The manifest's rows, to be changed and written again by `write_manifest`."""
    return [dict(row) for row in _drawn[1]]


def write_data(own: Path, drawn: tuple[Path, list[dict], list[dict]]) -> Path:
    """Write a data folder with manifests of its own; the images are shared."""
    folder, rows, extra = drawn
    own.mkdir()
    (own / "images").symlink_to(folder / "images")
    write_rows(own / MANIFEST_NAME, columns=(*REQUIRED, *BOX_COLUMNS), rows=rows)
    write_rows(own / EXTRA_NAME, columns=EXTRA_REQUIRED, rows=extra)
    return own


@pytest.fixture
def data(_drawn, tmp_path) -> Path:
    """A data folder of the test's own."""
    return write_data(tmp_path / "data", _drawn)


@pytest.fixture
def write_manifest(data):
    """Writes changed rows into the data folder."""
    return lambda rows: write_rows(data / MANIFEST_NAME, columns=(*REQUIRED, *BOX_COLUMNS), rows=rows)


def hospital_rows(folder: Path) -> list[dict]:
    """Two patients that train and two that check, each with and without a tumor, and volunteers of both uses."""
    rows = []
    for use, patients in (("train", ("p1", "p2")), ("check", ("p3", "p4"))):
        for patient in patients:
            for number, label in enumerate(("glioma", "notumor", "glioma", "notumor")):
                file = f"gliomas/{patient}_{number}.png"
                draw_head(folder / file, label=label, seed=int(patient[1:]) * 10 + number)
                if label == "glioma":
                    mask = folder / "gliomas" / "masks" / f"{patient}_{number}.png"
                    mask.parent.mkdir(parents=True, exist_ok=True)
                    x, y = (96 * value for value in PLACES["glioma"])
                    outline = Image.new("L", (96, 96))
                    ImageDraw.Draw(outline).ellipse((x - 9, y - 9, x + 9, y + 9), fill=255)
                    outline.save(mask)
                rows.append(hospital_row(file, use=use, label=label, patient=patient, sequence="FLAIR"))
        for number in range(3):
            file = f"volunteers/{use}{number}.png"
            draw_head(folder / file, label="notumor", seed=700 + number)
            label = "other_disease" if number == 2 else "notumor"
            rows.append(hospital_row(file, use=use, label=label, patient=f"v{use}{number}", sequence="T1"))
    draw_head(folder / "erased" / "glioma0.png", label="notumor", seed=0)
    rows.append(hospital_row("erased/glioma0.png", use="check", label="notumor", patient="e0", sequence="T1post"))
    return rows


def hospital_row(file: str, *, use: str, label: str, patient: str, sequence: str) -> dict:
    values = (file, use, file.partition("/")[0], patient, "1", sequence, label, "with", "CC0", "drawn")
    return dict(zip(HOSPITAL_COLUMNS, values, strict=True))


@pytest.fixture(scope="session")
def _drawn_hospitals(tmp_path_factory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("hospitals")
    return folder, hospital_rows(folder)


@pytest.fixture
def hospital_records(_drawn_hospitals) -> list[dict]:
    """The rows of the other hospitals' manifest, to be changed."""
    return [dict(row) for row in _drawn_hospitals[1]]


@pytest.fixture
def write_hospitals(_drawn_hospitals, tmp_path):
    """Writes a folder of other hospitals of the test's own; the images are shared."""

    def write(rows: list[dict]) -> Path:
        own = tmp_path / "hospitals"
        own.mkdir(exist_ok=True)
        for path in _drawn_hospitals[0].iterdir():
            if not (own / path.name).exists():
                (own / path.name).symlink_to(path)
        write_rows(own / MANIFEST_NAME, columns=HOSPITAL_COLUMNS, rows=rows)
        return own

    return write


@pytest.fixture
def hospitals_folder(write_hospitals, hospital_records) -> Path:
    """A folder of other hospitals."""
    return write_hospitals(hospital_records)
