"""`manage.py classify`, with a small real network; the shipped one runs once."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from devtools.running import ROOT
from tests.factories import png_bytes
from tests.inference.conftest import make_tiny_model

FIELDS = ["file", "outcome", "finding", "probabilities", "confidence", "ood_score", "model", "milliseconds"]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_model(folder / "tiny")
    return folder


@pytest.fixture
def classify(models_dir, settings):
    """Return a function that runs the command and gives its exit code and lines."""
    settings.MODELS_DIR = models_dir

    def run(*arguments: object, model: str = "tiny") -> tuple[int, list[str]]:
        out = io.StringIO()
        try:
            call_command("classify", *map(str, arguments), "--model", model, stdout=out)
        except SystemExit as stop:
            return int(stop.code or 0), out.getvalue().splitlines()
        return 0, out.getvalue().splitlines()

    return run


def test_a_line_has_the_fields_of_the_contract(classify, tmp_path):
    path = tmp_path / "slice.png"
    path.write_bytes(png_bytes())
    code, lines = classify(path, "--json")
    line = json.loads(lines[0])
    assert (code, len(lines)) == (0, 1)
    assert set(FIELDS) <= set(line)
    assert line["file"] == str(path)
    assert list(line["probabilities"]) == ["glioma", "meningioma", "notumor", "pituitary"]
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_folders_are_walked_and_bad_files_get_a_line(classify, tmp_path):
    (tmp_path / "study" / "deep").mkdir(parents=True)
    (tmp_path / "study" / "deep" / "good.png").write_bytes(png_bytes())
    (tmp_path / "study" / "bad.jpg").write_bytes(b"<html></html>")
    (tmp_path / "study" / "notes.txt").write_text("no image")
    code, lines = classify(tmp_path / "study", tmp_path / "missing.png", "--json")
    bad, good, missing = map(json.loads, lines)
    assert code == 1
    assert bad["error"].endswith(".")
    assert "outcome" in good
    assert "could not be opened" in missing["error"]


def test_without_json_lines_are_sentences(classify, tmp_path):
    (tmp_path / "slice.png").write_bytes(png_bytes())
    _, lines = classify(tmp_path)
    assert lines[0].startswith(f"{tmp_path / 'slice.png'}: ")


def test_nothing_to_classify_is_reported(classify, tmp_path):
    with pytest.raises(CommandError, match="No image"):
        classify(tmp_path)


def test_a_folder_for_overlays_that_is_a_file_is_reported(classify, tmp_path):
    (tmp_path / "slice.png").write_bytes(png_bytes())
    with pytest.raises(CommandError, match="cannot be written"):
        classify(tmp_path, "--saliency", tmp_path / "slice.png")


def test_an_unknown_model_is_reported(classify, tmp_path):
    (tmp_path / "slice.png").write_bytes(png_bytes())
    with pytest.raises(CommandError, match="Available: tiny"):
        classify(tmp_path, model="resnet")


def test_a_damaged_model_is_reported(classify, models_dir, tmp_path):
    damaged = make_tiny_model(tmp_path / "models" / "tiny")
    with (damaged / "tiny.weights.h5").open("ab") as file:
        file.write(b"x")
    from django.conf import settings

    settings.MODELS_DIR = damaged.parent
    (tmp_path / "slice.png").write_bytes(png_bytes())
    with pytest.raises(CommandError, match="is not the file that its card describes"):
        call_command("classify", str(tmp_path / "slice.png"), "--model", "tiny")


@pytest.mark.real_weights
def test_the_samples_with_the_shipped_network(settings, tmp_path):
    settings.MODELS_DIR = ROOT / "models"
    out = io.StringIO()
    call_command("classify", str(ROOT / "samples"), "--json", "--saliency", str(tmp_path / "maps"), stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    samples = json.loads((ROOT / "samples" / "samples.json").read_text())["samples"]
    truth = {row["file"]: row["finding"] for row in samples}
    right = [line for line in lines if line["finding"] == truth[Path(line["file"]).name]]
    assert len(lines) == 12
    assert len(right) >= 10
    tumors = [line for line in lines if line["finding"] not in (None, "notumor")]
    assert len(list((tmp_path / "maps").glob("*.png"))) == len(tumors) > 0
