"""A small data set in the documented form: drawn heads, with a blob where each kind of tumor lies."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from classifier.findings import FINDINGS
from classifier.training.manifest import EXTRA_NAME, EXTRA_REQUIRED, MANIFEST_NAME, REQUIRED

PLACES = {"glioma": (0.3, 0.3), "meningioma": (0.7, 0.35), "pituitary": (0.5, 0.7), "tumor": (0.3, 0.65)}
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


@pytest.fixture
def data(_drawn, tmp_path) -> Path:
    """A data folder of the test's own; the images are shared."""
    folder, rows, extra = _drawn
    own = tmp_path / "data"
    own.mkdir()
    (own / "images").symlink_to(folder / "images")
    write_rows(own / MANIFEST_NAME, columns=(*REQUIRED, *BOX_COLUMNS), rows=rows)
    write_rows(own / EXTRA_NAME, columns=EXTRA_REQUIRED, rows=extra)
    return own


@pytest.fixture
def write_manifest(data):
    """Writes changed rows into the data folder."""
    return lambda rows: write_rows(data / MANIFEST_NAME, columns=(*REQUIRED, *BOX_COLUMNS), rows=rows)
