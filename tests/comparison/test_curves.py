"""Curves against the values of scikit-learn 1.9.1 for the same scores, with ties."""

import numpy as np
import pytest

from classifier.comparison import curves
from classifier.training import metrics
from tests.comparison.conftest import predictions_with

SCORES = np.array([0.9, 0.8, 0.8, 0.7, 0.55, 0.5, 0.5, 0.3, 0.3, 0.1])
POSITIVE = np.array([1, 1, 0, 1, 0, 1, 0, 0, 1, 0], bool)


def test_the_roc_curve():
    # By sklearn.metrics.roc_curve with drop_intermediate off.
    false, hits = curves.roc_curve(SCORES, POSITIVE)
    assert false == pytest.approx([0.0, 0.0, 0.2, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert hits == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.6, 0.8, 1.0, 1.0])


def test_precision_and_recall():
    # By sklearn.metrics.precision_recall_curve, without its last point (recall 0, precision 1), in reverse
    recall, precision = curves.precision_recall_curve(SCORES, POSITIVE)
    assert recall == pytest.approx([0.2, 0.4, 0.6, 0.6, 0.8, 1.0, 1.0])
    assert precision == pytest.approx([1.0, 2 / 3, 0.75, 0.6, 4 / 7, 5 / 9, 0.5])


def test_average_precision():
    # By sklearn.metrics.average_precision_score.
    assert curves.average_precision(SCORES, POSITIVE) == pytest.approx(0.7087301587301587)


def test_a_perfect_and_a_useless_score():
    assert curves.average_precision(POSITIVE.astype(float), POSITIVE) == 1.0
    assert curves.average_precision(np.zeros(10), POSITIVE) == 0.5


def test_thinning_keeps_the_ends_and_the_shape():
    x = np.linspace(0, 1, 5000)
    points = np.array(curves.thin(x, x**2, points=50))
    assert len(points) <= 52
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    assert points[:, 1] == pytest.approx(points[:, 0] ** 2, abs=1e-3)


def test_curves_of_an_evaluation_agree_with_its_figures(evaluate):
    evaluation = evaluate(predictions_with(skill=2))
    found = curves.curves_of(evaluation, "test")
    assert found is not None
    assert found.ece == metrics.ece(evaluation.sample.p, evaluation.sample.labels)
    assert found.roc[0] == [0, 0]
    assert found.roc[-1] == [1, 1]
    area = np.trapezoid([y for _, y in found.roc], [x for x, _ in found.roc])
    assert area == pytest.approx(found.area, abs=0.01)
    assert found.at_coverage[0] == pytest.approx(found.selective[-1][1], abs=1e-4)
    assert sum(row["images"] for row in found.reliability) == 200


def test_images_that_were_not_measured_have_no_curves(evaluate):
    assert curves.curves_of(evaluate(predictions_with(skill=2)), "hospitals") is None
