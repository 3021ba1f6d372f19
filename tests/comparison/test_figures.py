"""The figures of a model, from its predictions alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.comparison.evaluations import Sample, read_evaluations
from classifier.comparison.figures import confusion_of, figures_of, stated_figures
from classifier.training.predictions import NOT_SHIPPED
from tests.comparison.conftest import prediction, predictions_with, write_evaluation
from tests.conftest import MODELS

TUMOR, NONE = (0.7, 0.1, 0.1, 0.1), (0.1, 0.05, 0.8, 0.05)


@pytest.fixture(scope="module")
def shipped():
    return read_evaluations(MODELS / "xception")["patient"]


def test_the_shipped_models_figures_are_those_of_its_evaluation(shipped):
    """The predictions give what the evaluation computed from the network itself."""
    figures = {figure.key: figure for figure in figures_of(shipped)}
    found = {key: figure.value for key, figure in figures.items()}
    stated = shipped.figures
    accuracy = figures["test", "accuracy"]
    assert (accuracy.low, accuracy.high) == (stated["accuracy"]["low"], stated["accuracy"]["high"])
    assert found["test", "accuracy"] == pytest.approx(stated["accuracy"]["value"], abs=1e-4)
    assert found["test", "sensitivity"] == pytest.approx(stated["shortcut"]["tumor_sensitivity"], abs=1e-4)
    assert found["test", "specificity"] == pytest.approx(stated["shortcut"]["specificity"], abs=1e-4)
    assert found["extra", "sensitivity"] == pytest.approx(stated["shortcut"]["other_scanners"]["sensitivity"], abs=1e-4)
    hospitals = stated["hospitals"]
    for name in ("sensitivity", "specificity", "refused"):
        assert found["hospitals", name] == pytest.approx(hospitals["all"][name], abs=1e-4)
    assert found["erased", "still_called"] == pytest.approx(hospitals["erased"]["still_called_tumor"], abs=1e-4)
    assert confusion_of(shipped).tolist() == stated["confusion"]


def test_every_interval_holds_its_figure(shipped):
    for figure in figures_of(shipped):
        assert figure.low <= figure.value <= figure.high


def test_a_share_on_which_all_patients_agree_is_not_called_certain(evaluate):
    rows = [prediction(f"{n}.png", "notumor", f"p{n % 6}", NONE, part="check") for n in range(72)]
    found = {figure.key: figure for figure in figures_of(evaluate(rows))}
    specificity, refused = found["hospitals", "specificity"], found["hospitals", "refused"]
    # The score interval of 6 of 6 patients begins at 6 / (6 + 1.96²).
    assert (specificity.low, specificity.high) == (pytest.approx(0.6097, abs=1e-4), 1.0)
    assert (refused.low, refused.high) == (0.0, pytest.approx(0.3903, abs=1e-4))


def test_areas_within_patients_do_not_compare_patients(evaluate):
    """Each patient's tumor scores higher than the same patient's other slice, but lower than the other patient's."""
    rows = [
        prediction("1.png", "glioma", "p1", (0.5, 0.1, 0.3, 0.1), part="check"),
        prediction("2.png", "notumor", "p1", (0.4, 0.1, 0.4, 0.1), part="check"),
        prediction("3.png", "glioma", "p2", (0.2, 0.1, 0.6, 0.1), part="check"),
        prediction("4.png", "notumor", "p2", (0.1, 0.1, 0.7, 0.1), part="check"),
    ]
    found = {figure.key: figure.value for figure in figures_of(evaluate(rows))}
    assert found["hospitals", "area_within"] == 1.0
    assert found["hospitals", "area"] == 0.75


def test_another_disease_is_no_tumor_and_erased_slices_are_a_set_of_their_own(evaluate):
    rows = [
        prediction("1.png", "other_disease", "p1", NONE, part="check"),
        prediction("2.png", "tumor", "p2", TUMOR, part="check"),
        prediction("3.png", "notumor", "p3", TUMOR, part="check", source="erased"),
    ]
    found = {figure.key: figure.value for figure in figures_of(evaluate(rows))}
    assert found["hospitals", "specificity"] == found["hospitals", "sensitivity"] == 1.0
    assert found["erased", "still_called"] == 1.0


def test_a_changed_file_is_read_again(tmp_path):
    path = write_evaluation(tmp_path / "m", predictions_with(skill=2))
    first = read_evaluations(tmp_path / "m")["patient"]
    write_evaluation(tmp_path / "m", predictions_with(skill=0))
    import os

    os.utime(path.with_suffix(".csv"), ns=(1, 1))
    second = read_evaluations(tmp_path / "m")["patient"]
    assert first.digest != second.digest
    assert figures_of(first)[0].value > figures_of(second)[0].value


@pytest.mark.parametrize("broken", ["{", "[]", json.dumps({"model": "m"})])
def test_an_unreadable_evaluation_is_left_out(tmp_path, broken):
    write_evaluation(tmp_path / "m", predictions_with(skill=2)).write_text(broken)
    assert read_evaluations(tmp_path / "m") == {}


def test_without_predictions_what_is_stated_remains(tmp_path):
    path = write_evaluation(tmp_path / "m", [], abstention={"coverage": 0.8}, images=10, groups=4)
    path.with_suffix(".csv").unlink()
    evaluation = read_evaluations(tmp_path / "m")["patient"]
    assert figures_of(evaluation) == ()
    assert [(figure.measure.key, figure.value) for figure in stated_figures(evaluation)] == [("coverage", 0.8)]
    assert confusion_of(evaluation) is None


def test_a_run_of_which_the_figures_alone_were_kept_has_its_accuracy_and_its_twins(tmp_path):
    path = write_evaluation(
        tmp_path / "m",
        [],
        protocol="official",
        weights=NOT_SHIPPED,
        images=100,
        groups=40,
        accuracy={"value": 0.99, "low": 0.98, "high": 0.995},
        per_class={"glioma": {"recall": 0.97}},
        shortcut={"tumor_sensitivity": 0.96, "specificity": 0.95, "other_scanners": {"sensitivity": 0.5, "low": 0.3}},
        abstention={"threshold": 0.0, "coverage": 1.0, "accuracy": 0.99},
        parts={"by_twin": {"with": {"images": 75, "accuracy": 1.0}, "without": {"images": 25, "accuracy": 0.96}}},
        controls={"pixel_neighbour_accuracy": 0.979},
        confusion=[[1, 2], [3, 4]],
    )
    path.with_suffix(".csv").unlink()
    evaluation = read_evaluations(tmp_path / "m")["official"]
    found = {figure.key: figure for figure in stated_figures(evaluation)}
    # Nothing of thresholds that nobody fitted.
    assert {key: figure.value for key, figure in found.items()} == {
        ("test", "accuracy"): 0.99,
        ("test", "recall_glioma"): 0.97,
        ("test", "sensitivity"): 0.96,
        ("test", "specificity"): 0.95,
        ("extra", "sensitivity"): 0.5,
        ("with_twin", "accuracy"): 1.0,
        ("without_twin", "accuracy"): 0.96,
        ("test", "pixel_look_up"): 0.979,
    }
    assert (found["test", "accuracy"].low, found["with_twin", "accuracy"].images) == (0.98, 75)
    assert not evaluation.is_shipped
    assert confusion_of(evaluation).tolist() == [[1, 2], [3, 4]]


def test_kept_figures_are_those_that_predictions_give(shipped):
    """What stands in for predictions says the same, where both are there."""
    alone = replace(shipped, sample=Sample.of([]), digest="alone")
    stated = {figure.key: figure.value for figure in stated_figures(alone)}
    found = {figure.key: figure.value for figure in figures_of(shipped)}
    shared = [key for key in stated if key in found]
    assert len(shared) == 8
    assert [stated[key] for key in shared] == pytest.approx([found[key] for key in shared], abs=1e-4)


def test_confusion_counts_what_was_called(evaluate):
    rows = [prediction("1.png", "glioma", "p1", TUMOR), prediction("2.png", "glioma", "p1", NONE)]
    assert np.argwhere(confusion_of(evaluate(rows))).tolist() == [[0, 0], [0, 2]]
