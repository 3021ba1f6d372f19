"""Images behind a figure: shown only where their license allows it."""

import csv

import pytest

from classifier.comparison.pictures import cell_pictures, may_be_shown, picture
from classifier.training.hospitals import REQUIRED
from tests.comparison.conftest import prediction

GLIOMA = (0.7, 0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    "license",
    [
        "CC0 (OpenNeuro ds002748, dataset_description.json)",
        "CC BY 4.0",
        "PDDL 1.0 (OpenNeuro ds000011)",
        "MIT (repository)",
    ],
)
def test_open_licenses(license):
    assert may_be_shown(license)


@pytest.mark.parametrize(
    "license",
    [
        "",
        "CC BY-NC-SA 4.0",
        "Kaggle mateuszbuda/lgg-mri-segmentation: CC BY-NC-SA 4.0 (masks+export); pixels TCIA TCGA-LGG (CC BY 3.0)",
        "CC BY 4.0 (BRISC 2025, as stated by third-party READMEs; origin of the volumes not stated)",
        "BraTS 2018, University of Pennsylvania part",
    ],
)
def test_licenses_with_conditions_or_doubt(license):
    assert not may_be_shown(license)


@pytest.fixture
def data(tmp_path):
    """A data folder with one image of an open and one of a closed license, and a file beside it."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for name in ("1.jpg", "open.jpg", "closed.jpg"):
        (folder / "images" / name).write_bytes(b"jpeg")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=REQUIRED)
        writer.writeheader()
        for name, license in (("open", "CC0"), ("closed", "CC BY-NC 4.0")):
            writer.writerow(dict.fromkeys(REQUIRED, "x") | {"file": f"images/{name}.jpg", "licence": license})
    return folder


def test_a_cell_lists_its_images_most_certain_first(evaluate, data):
    rows = [
        prediction("images/1.jpg", "glioma", "p1", GLIOMA, source="figshare"),
        prediction("images/2.jpg", "glioma", "p2", (0.9, 0.05, 0.03, 0.02), source="figshare"),
        prediction("images/3.jpg", "meningioma", "p3", GLIOMA, source="figshare"),
    ]
    found = cell_pictures(evaluate(rows), label="glioma", called="glioma", folders=[data])
    assert [item.file for item in found] == ["images/2.jpg", "images/1.jpg"]
    assert [item.path for item in found] == [None, data / "images" / "1.jpg"]


def test_other_hospitals_follow_their_manifest(evaluate, data):
    rows = [
        prediction("images/open.jpg", "glioma", "p1", GLIOMA, part="check"),
        prediction("images/closed.jpg", "glioma", "p1", GLIOMA, part="check"),
        prediction("images/1.jpg", "glioma", "p1", GLIOMA, part="check"),
    ]
    paths = [picture(evaluate(rows), number, folders=[data]).path for number in range(3)]
    assert paths == [data / "images" / "open.jpg", None, None]


@pytest.mark.parametrize("file", ["../secret.jpg", "images/../../secret.jpg", "/etc/passwd"])
def test_no_file_outside_the_folder_is_shown(evaluate, data, file):
    rows = [prediction(file, "glioma", "p1", GLIOMA, source="figshare")]
    assert picture(evaluate(rows), 0, folders=[data]).path is None


def test_there_is_no_image_of_an_unknown_number(evaluate, data):
    assert picture(evaluate([prediction("images/1.jpg", "glioma", "p1", GLIOMA)]), 1, folders=[data]) is None
