import json
from dataclasses import replace

import pytest

from classifier.training.cross_validation import RESULT_NAME, cross_validate
from classifier.training.loop import TrainingConfig
from classifier.training.manifest import FOLDS, read_extra, read_manifest
from classifier.training.run import RunOptions
from tests.inference.conftest import make_tiny_model

CONFIG = TrainingConfig(stages=((96, 1),), batch_size=8, learning_rate=1e-2, freeze=0)


@pytest.fixture
def options(data, tmp_path):
    return RunOptions(data=data, output=tmp_path / "cv", network="tiny")


@pytest.fixture
def run(tmp_path):
    like = make_tiny_model(tmp_path / "like")
    steps, told = [], []

    def run(options, config=CONFIG, folds=range(FOLDS)):
        content = cross_validate(
            options,
            config=config,
            folds=folds,
            like=like,
            engine="keras",
            exports=None,
            progress=lambda *values: steps.append(values),
            tell=told.append,
        )
        return content, steps, told

    return run


def test_every_image_is_tested_once(options, run, data):
    content, _, told = run(options)
    assert len(told) == len(content["folds"]) == FOLDS
    assert sum(fold["images"] for fold in content["folds"]) == content["together"]["images"] == len(read_manifest(data))
    assert content["together"]["other_scanner_tumors"] == len(read_extra(data))
    assert content["folds_missing"] == 0
    mean = sum(fold["accuracy"] * fold["images"] for fold in content["folds"]) / content["together"]["images"]
    assert content["together"]["accuracy"] == pytest.approx(mean, abs=1e-3)
    together = content["together"]
    assert together["accuracy_low"] <= together["accuracy"] <= together["accuracy_high"]
    assert json.loads((options.output / RESULT_NAME).read_text())["together"] == together


def test_a_single_fold_without_partial_labels_is_still_tested_on_them(options, run):
    content, _, told = run(replace(options, extra=False), folds=[2])
    assert [fold["fold"] for fold in content["folds"]] == [2]
    assert len(told) == 1
    assert content["folds_missing"] == FOLDS - 1
    assert content["partial_labels"] == 0
    assert content["together"]["other_scanner_tumors"] > 0


def test_finished_folds_are_not_trained_again(options, run):
    first, steps, _ = run(options)
    trained = len(steps)
    own = json.loads((options.output / "fold3" / "run.json").read_text())["steps"]
    (options.output / "fold3" / "run.json").unlink()
    (options.output / "fold3" / "checkpoint.npz").unlink()
    second, steps, _ = run(options)
    assert len(steps) - trained == own < trained
    assert second["folds"][0] == first["folds"][0]


def test_folds_of_another_recipe_are_not_mixed_in(options, run):
    run(options)
    with pytest.raises(ValueError, match="other hyper-parameters"):
        run(options, replace(CONFIG, seed=2))


@pytest.mark.parametrize("change", [{"protocol": "official"}, {"validate": False}])
def test_what_cannot_be_cross_validated_is_refused(options, run, change):
    with pytest.raises(ValueError, match="needs the protocol patient and a validation part"):
        run(replace(options, **change))
