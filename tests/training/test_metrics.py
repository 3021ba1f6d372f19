import numpy as np
import pytest

from classifier.training import metrics

P = np.array([[0.9, 0.1, 0, 0], [0.6, 0.4, 0, 0], [0.2, 0.8, 0, 0], [0, 0, 1, 0]])
LABELS = np.array([0, 1, 1, 2])


def test_accuracy_and_confusion_agree():
    table = metrics.confusion(P, LABELS)
    assert metrics.accuracy(P, LABELS) == table.trace() / table.sum() == 0.75
    assert table[1, 0] == 1


def test_per_class_scores():
    scores = metrics.per_class(P, LABELS)
    assert scores["meningioma"] == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "images": 2})
    assert scores["pituitary"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 0}


def test_nll_and_brier():
    assert metrics.nll(P, LABELS) == pytest.approx(-np.log([0.9, 0.4, 0.8, 1.0]).mean())
    assert metrics.brier(P, LABELS) == pytest.approx((0.02 + 0.72 + 0.08 + 0) / 4)


def test_calibration_error_of_an_honest_and_an_overconfident_network():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 20000)
    honest = np.full((20000, 4), 0.1)
    shown = np.where(rng.random(20000) < 0.7, labels, (labels + rng.integers(1, 4, 20000)) % 4)
    honest[np.arange(20000), shown] = 0.7
    assert metrics.ece(honest, labels) < 0.02
    sure = np.zeros_like(honest)
    sure[np.arange(20000), shown] = 1.0
    assert metrics.ece(sure, labels) == pytest.approx(0.3, abs=0.02)


def test_selective_accuracy_answers_the_surest_first():
    coverage, accuracy = metrics.selective(P, LABELS)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert accuracy.tolist() == pytest.approx([1, 1, 1, 0.75])
    assert metrics.accuracy_at_coverage(P, LABELS, coverage=0.75) == 1


def test_auroc_counts_ties_half():
    assert metrics.auroc(np.array([2, 3]), np.array([0, 1])) == 1
    assert metrics.auroc(np.array([1.0]), np.array([1.0])) == 0.5
    with pytest.raises(ValueError, match="at least one"):
        metrics.auroc(np.array([]), np.array([1.0]))


def test_intervals_are_wider_when_images_come_in_groups():
    values = np.repeat(np.random.default_rng(0).random(20) < 0.5, 10)
    alone = metrics.bootstrap(lambda i: values[i].mean(), [str(i) for i in range(200)], draws=300)
    grouped = metrics.bootstrap(lambda i: values[i].mean(), [str(i // 10) for i in range(200)], draws=300)
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])
