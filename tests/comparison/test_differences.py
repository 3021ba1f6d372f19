"""Paired differences: chance is not called progress."""

from dataclasses import replace

import pytest

from classifier.comparison.differences import differences_of
from tests.comparison.conftest import prediction, predictions_with


def by_measure(evaluate, base, other):
    rows = differences_of(evaluate(base, name="base"), evaluate(other, name="other"))
    return {row.measure.key: row for row in rows if row.part.key == "test"}


def test_a_clearly_better_model_is_better(evaluate):
    found = by_measure(evaluate, predictions_with(skill=1), predictions_with(skill=4))
    assert found["accuracy"].verdict == "better"
    assert 0 < found["accuracy"].low < found["accuracy"].difference < found["accuracy"].high


def test_the_other_way_round_it_is_worse(evaluate):
    found = by_measure(evaluate, predictions_with(skill=4), predictions_with(skill=1))
    assert found["accuracy"].verdict == "worse"


def test_another_seed_is_no_progress(evaluate):
    found = by_measure(evaluate, predictions_with(skill=2, seed=1), predictions_with(skill=2, seed=2))
    assert found["accuracy"].difference != 0
    assert found["accuracy"].verdict == "unclear"


def test_a_model_does_not_differ_from_itself(evaluate):
    found = by_measure(evaluate, predictions_with(skill=2), predictions_with(skill=2))
    assert {(row.difference, row.low, row.high, row.verdict) for row in found.values()} == {(0, 0, 0, "unclear")}


def test_pairing_finds_what_separate_intervals_do_not(evaluate):
    """Both models fail for the same patients, so their difference varies far less than each of them."""
    base = predictions_with(skill=1.5)
    wrong = [item for item in base if max(item.probabilities) != item.probabilities[LABELS[item.label]]]
    fixed = {item.file for item in wrong[::6]}
    other = [replace(item, probabilities=sure(item.label)) if item.file in fixed else item for item in base]
    row = by_measure(evaluate, base, other)["accuracy"]
    assert row.verdict == "better"
    assert row.difference == pytest.approx(len(fixed) / len(base))
    assert row.high - row.low < 0.1


LABELS = {"glioma": 0, "meningioma": 1, "notumor": 2, "pituitary": 3}


def sure(label: str) -> tuple[float, ...]:
    return tuple(0.97 if index == LABELS[label] else 0.01 for index in range(4))


def test_fewer_refused_is_better(evaluate):
    base = [replace(item, ood_score=1.5) for item in predictions_with(skill=2)]
    assert by_measure(evaluate, base, predictions_with(skill=2))["refused"].verdict == "better"


def test_only_shared_images_with_the_same_truth_count(evaluate):
    base = [prediction(f"{n}.png", "glioma", f"p{n}", (0.7, 0.1, 0.1, 0.1)) for n in range(6)]
    other = [
        *base[:3],
        prediction("3.png", "meningioma", "p3", (0.7, 0.1, 0.1, 0.1)),
        prediction("4.png", "glioma", "another patient", (0.7, 0.1, 0.1, 0.1)),
        prediction("9.png", "glioma", "p9", (0.7, 0.1, 0.1, 0.1)),
    ]
    assert by_measure(evaluate, base, other)["accuracy"].images == 3


def test_models_without_a_shared_image_have_no_difference(evaluate):
    base = [prediction("1.png", "glioma", "p1", (0.7, 0.1, 0.1, 0.1))]
    other = [prediction("2.png", "glioma", "p1", (0.7, 0.1, 0.1, 0.1))]
    assert by_measure(evaluate, base, other) == {}
