"""Calibrate, evaluate and record a tiny model, through the commands."""

import json
from dataclasses import astuple
from io import StringIO
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from classifier.inference.analyzer import Analyzer
from classifier.inference.calibration import Calibration
from classifier.inference.registry import load_card
from classifier.training.predictions import NOT_SHIPPED
from tests.inference.conftest import make_tiny_model


@pytest.fixture
def models(tmp_path, settings):
    settings.MODELS_DIR = tmp_path / "models"
    make_tiny_model(tmp_path / "models" / "tiny")
    return tmp_path / "models"


def run(name, data, *more):
    out = StringIO()
    call_command(name, "--model", "tiny", "--data", str(data), *more, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("protocol", ["patient", "purged"])
def test_a_calibrated_model_is_whole_again(models, data, protocol):
    before = load_card(models / "tiny")
    record = json.loads(run("calibrate", data, "--protocol", protocol))
    card = load_card(models / "tiny")
    assert card.weights == before.weights
    fitted = record["fitted"]["calibration"]
    assert card.calibration == Calibration(fitted["temperature"], fitted["tumor_slope"], fitted["tumor_offset"])
    assert all(0.5 <= value <= 1 for value in astuple(card.thresholds))
    assert card.ood is not None
    assert card.metrics[0]["protocol"] == protocol
    assert record["reported"]["nll"] <= record["reported"]["nll_uncalibrated"] * 1.5
    assert Analyzer.from_folder(models / "tiny", engine="keras").detector is not None


def test_calibration_fits_on_other_images_than_it_reports(models, data):
    from classifier.training.calibrate import choose_parts
    from classifier.training.hospitals import read_data
    from classifier.training.protocols import PROTOCOLS, make_split

    for protocol in PROTOCOLS:
        part = choose_parts(make_split(read_data(data), protocol=protocol))
        assert not {row.group for row in part.fit} & {row.group for row in part.report}
        assert not {row.image for row in part.usual} & {row.image for row in (*part.fit, *part.report)}


def test_an_evaluation_is_recorded_with_its_plots_and_page(models, data, tmp_path):
    run("calibrate", data, "--protocol", "patient", "--cache", str(tmp_path / "cache"))
    figures = json.loads(run("evaluate", data, "--protocol", "patient", "--json", "--record"))
    folder = models / "tiny"
    assert json.loads((folder / "evaluation" / "patient.json").read_text()) == figures
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    assert figures["shortcut"]["other_scanners"]["images"] == 2
    assert figures["saliency"]["images"] == 13
    assert figures["refusal"]["far"]["images"] > 20
    plots = {path.name for path in (folder / "evaluation" / "patient").iterdir()}
    assert {
        "confusion.png",
        "roc.png",
        "reliability.png",
        "coverage.png",
        "precision-recall.png",
        "reliability-by-source.png",
    } <= plots
    page = (folder / "README.md").read_text()
    assert "Protocol `patient`" in page
    assert f"{100 * figures['accuracy']['value']:.1f}%" in page
    assert [entry["source"] for entry in load_card(folder).metrics] == ["calibration.json", "evaluation/patient.json"]


def test_images_of_other_hospitals_are_measured_and_quoted(models, data, hospitals_folder, tmp_path, settings):
    folders = (str(data), str(hospitals_folder))
    command = ("--model", "tiny", "--data", *folders, "--protocol", "patient")
    call_command("calibrate", *command, stdout=StringIO())
    out = StringIO()
    call_command("evaluate", *command, "--json", "--record", "--pairs", str(tmp_path / "pairs.png"), stdout=out)
    hospitals = json.loads(out.getvalue())["hospitals"]
    assert [(row["set"], row["images"], row["patients"]) for row in hospitals["sets"]] == [("gliomas", 8, 2)]
    assert {row["label"] for row in hospitals["without_tumor"]} == {"healthy", "other_disease"}
    card = load_card(models / "tiny")
    quoted = next(entry["hospitals"] for entry in card.metrics if "hospitals" in entry)
    assert quoted["all"]["sensitivity"] == hospitals["all"]["sensitivity"]
    page = (models / "tiny" / "README.md").read_text()
    assert "### Other hospitals" in page
    assert "images with a tumor" in page


def test_the_release_gate_passes_what_was_recorded_and_stops_what_was_not(models, data, hospitals_folder):
    folders = (str(data), str(hospitals_folder))
    command = ("--model", "tiny", "--data", *folders)
    call_command("calibrate", *command, "--protocol", "patient", stdout=StringIO())
    call_command("evaluate", *command, "--protocol", "patient", "--record", stdout=StringIO())
    out = StringIO()
    call_command("verify_model", *command, "--limit", "5", stdout=out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "12 bundled samples" in lines[2]
    assert "5 images" in lines[3]
    path = models / "tiny" / "card.json"
    card = json.loads(path.read_text())
    card["metrics"][-1]["accuracy"] += 0.01
    path.write_text(json.dumps(card))
    with pytest.raises(CommandError, match="the card states accuracy"):
        call_command("verify_model", *command, stdout=StringIO())
    card["metrics"][-1]["accuracy"] -= 0.01
    card["calibration"]["tumor_offset"] += 2.0
    path.write_text(json.dumps(card))
    with pytest.raises(CommandError, match="gives other probabilities than stored"):
        call_command("verify_model", *command, stdout=StringIO())


def test_the_release_gate_asks_for_an_evaluation(models):
    with pytest.raises(CommandError, match="holds no predictions"):
        call_command("verify_model", "--model", "tiny", stdout=StringIO())


def test_a_wrong_manifest_stops_with_a_sentence(models, data, records, write_manifest):
    records[0]["label"] = "stroke"
    write_manifest(records)
    with pytest.raises(CommandError, match="unknown label 'stroke'"):
        run("evaluate", data, "--protocol", "patient")


def test_the_other_commands_print_what_they_did(data, tmp_path):
    out = StringIO()
    call_command("leak_table", "--data", str(data), stdout=out)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["protocol", "official", "purged", "patient"]
    out = StringIO()
    target = tmp_path / "run"
    command = ["train", "--architecture", "tiny", "--data", str(data), "--output", str(target), "--stage", "96:1"]
    call_command(*command, "--freeze", "0", stdout=out)
    assert "final.weights.h5" in out.getvalue()
    assert (target / "curve.png").is_file()


def test_a_finished_run_becomes_a_model(models, data, tmp_path):
    command = [
        "train",
        "--architecture",
        "tiny",
        "--data",
        str(data),
        "--output",
        str(tmp_path / "run"),
        "--stage",
        "96:1",
    ]
    call_command(*command, "--freeze", "0", stdout=StringIO())
    package = ["package_model", "--run", str(tmp_path / "run"), "--model-version", "2", "--like", "tiny"]
    package += ["--size", "96"]
    call_command(*package, "--name", "better", stdout=StringIO())
    card = load_card(models / "better")
    assert (card.name, card.version, card.ood) == ("better", "2", None)
    assert card.details["training"]["protocol"] == "patient"
    assert card.preprocessing.size == 96
    assert card.details["title"] == "Tiny"
    assert (models / "better" / "training" / "curve.png").is_file()
    assert "fold 0 never seen" in (models / "better" / "README.md").read_text()
    figures = models / "better" / "evaluation"
    (figures / "patient").mkdir(parents=True)
    for name, weights in (("patient", "shipped"), ("official", NOT_SHIPPED)):
        (figures / f"{name}.json").write_text(json.dumps({"weights": weights}))
        (figures / f"{name}.csv").touch()
    with mock.patch("classifier.training.package.write_page"):
        call_command(*package, "--name", "better", stdout=StringIO())
    # Nothing could measure again what is not shipped; the figures of the earlier weights go.
    assert {path.name for path in figures.iterdir()} == {"official.json", "official.csv"}
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    del record["finished"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.raises(CommandError, match="not a finished run"):
        call_command(*package, "--name", "other")
