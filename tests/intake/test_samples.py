"""The bundled samples are what their list says, and can be read."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from classifier.findings import FINDINGS
from classifier.intake import read_image

FOLDER = Path(__file__).resolve().parents[2] / "samples"
SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))["samples"]


def test_there_are_three_of_each_finding():
    assert Counter(sample["finding"] for sample in SAMPLES) == dict.fromkeys(FINDINGS, 3)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["name"])
def test_each_is_the_file_that_was_taken_and_can_be_read(sample: dict[str, str]):
    data = (FOLDER / sample["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == sample["sha256"]
    assert read_image(data).source_format == "JPEG"


def test_all_pictures_differ():
    assert len({read_image((FOLDER / sample["file"]).read_bytes()).sha256 for sample in SAMPLES}) == len(SAMPLES)


def test_the_folder_and_its_readme_name_the_same_files():
    files = {path.name for path in FOLDER.glob("*.jpg")}
    assert files == {sample["file"] for sample in SAMPLES}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{sample['file']}` | `{sample['original_name']}`" in readme for sample in SAMPLES)
