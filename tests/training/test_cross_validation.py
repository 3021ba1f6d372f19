import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from classifier.training.config import TrainingConfig
from classifier.training.cross_validation import PAGE_NAME, RESULT_NAME, cross_validate
from classifier.training.hospitals import read_hospitals
from classifier.training.manifest import FOLDS, read_extra, read_manifest
from classifier.training.run import RunOptions
from tests.inference.conftest import make_tiny_model
from tests.training.conftest import write_data

CONFIG = TrainingConfig(stages=((96, 1),), batch_size=8, learning_rate=1e-2, freeze=0)


@dataclass
class Run:
    """A cross-validation, and what it reported.

    Attributes:
        content: What it returned.
        steps: The steps of training.
        told: The sentences about finished folds.
    """

    content: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, _drawn) -> Path:
    """The data, and a model whose texts are copied to the folds' models."""
    folder = tmp_path_factory.mktemp("cross-validation")
    write_data(folder / "data", _drawn)
    make_tiny_model(folder / "like")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Return a function that cross-validates."""

    def run(options: RunOptions, config: TrainingConfig = CONFIG, folds=range(FOLDS)) -> Run:
        run = Run()
        run.content = cross_validate(
            options,
            config=config,
            folds=folds,
            like=folder / "like",
            engine="keras",
            exports=None,
            progress=lambda *values: run.steps.append(values),
            tell=run.told.append,
        )
        return run

    return run


@pytest.fixture(scope="module")
def options(folder) -> RunOptions:
    return RunOptions(data=(folder / "data",), output=folder / "cv", network="tiny")


@pytest.fixture(scope="module")
def finished(options, run) -> Run:
    """A run of all folds into the folder of `options`, which the tests leave as it is."""
    return run(options)


def test_every_image_is_tested_once(options, finished):
    content, together = finished.content, finished.content["together"]
    [data] = options.data
    images = len(read_manifest(data))
    assert len(finished.told) == len(content["folds"]) == FOLDS
    assert sum(fold["images"] for fold in content["folds"]) == together["images"] == images
    assert together["other_scanner_tumors"] == len(read_extra(data))
    assert content["folds_missing"] == 0
    mean = sum(fold["accuracy"] * fold["images"] for fold in content["folds"]) / together["images"]
    assert together["accuracy"] == pytest.approx(mean, abs=1e-3)
    assert together["accuracy_low"] <= together["accuracy"] <= together["accuracy_high"]
    assert json.loads((options.output / RESULT_NAME).read_text())["together"] == together
    assert (options.output / PAGE_NAME).read_text().startswith("|  | fold 0 | fold 1 | fold 2 | fold 3 | fold 4 | mean")


def test_a_single_fold_without_partial_labels_is_still_tested_on_them(options, run, tmp_path):
    single = run(replace(options, extra=False, output=tmp_path), folds=[2])
    assert [fold["fold"] for fold in single.content["folds"]] == [2]
    assert len(single.told) == 1
    assert single.content["folds_missing"] == FOLDS - 1
    assert single.content["partial_labels"] == 0
    assert single.content["together"]["other_scanner_tumors"] > 0


def test_each_fold_is_tested_on_other_hospitals_and_without_its_tumors(folder, hospitals_folder, run, tmp_path):
    data = (folder / "data", hospitals_folder)
    single = run(RunOptions(data=data, output=tmp_path / "cv", network="tiny"), folds=[1])
    elsewhere = single.content["folds"][0]["other_hospitals"]
    check = [row for row in read_hospitals(hospitals_folder) if row.use == "check" and row.source != "erased"]
    assert elsewhere["all"]["images"] == len(check)
    assert [part["set"] for part in elsewhere["sets"]] == ["gliomas"]
    assert elsewhere["all"]["refused"] == 0
    assert json.loads((tmp_path / "cv" / RESULT_NAME).read_text())["folds"][0]["other_hospitals"] == elsewhere


def test_finished_folds_are_not_trained_again(options, run, finished, tmp_path):
    # One finished and one interrupted fold show it; the others would only repeat it.
    for fold in ("fold2", "fold3"):
        shutil.copytree(options.output / fold, tmp_path / fold)
    own = json.loads((tmp_path / "fold3" / "run.json").read_text())["steps"]
    (tmp_path / "fold3" / "run.json").unlink()
    (tmp_path / "fold3" / "checkpoint.npz").unlink()
    again = run(replace(options, output=tmp_path), folds=[2, 3])
    assert len(again.steps) == own < len(finished.steps)
    assert again.content["folds"][0] == finished.content["folds"][2]


@pytest.mark.usefixtures("finished")
def test_folds_of_another_recipe_are_not_mixed_in(options, run):
    with pytest.raises(ValueError, match="other hyper-parameters"):
        run(options, replace(CONFIG, seed=2))


@pytest.mark.parametrize("change", [{"protocol": "official"}, {"validate": False}])
def test_what_cannot_be_cross_validated_is_refused(options, run, change):
    with pytest.raises(ValueError, match="needs the protocol patient and a validation part"):
        run(replace(options, **change))
