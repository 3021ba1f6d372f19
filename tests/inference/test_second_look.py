"""A rounding engine gives the results of float32."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.inference import second_look
from classifier.inference.calibration import Calibration
from classifier.inference.decision import decide
from classifier.inference.engines.base import EngineOutput
from classifier.inference.ood import OodDetector, Statistics
from classifier.inference.registry import LEAD_ERROR, SCORE_ERROR, Thresholds
from classifier.inference.registry import Rounding as Margins
from classifier.inference.second_look import PROBABILITY_ERROR, is_doubtful


def output_of(*logits, features=None):
    rows = np.array(logits, np.float32)
    features = np.ones((len(rows), 8), np.float32) if features is None else features
    return EngineOutput(rows, features, np.zeros((len(rows), 10, 10, 4), np.float32))


@pytest.fixture
def card(tiny):
    """Sure from 0.8 on, everything possible from 0.1 on."""
    thresholds = Thresholds(0.8, notumor=0.8)
    return replace(tiny.card, calibration=Calibration(), thresholds=thresholds, possible_from=(0.1, 0.1, 0.1, 0.1))


def test_a_clear_decision_is_not_recomputed(card):
    assert not is_doubtful(output_of([9, 0, 0, 0], [0, 0, 0, 9]), card, detector=None).any()


@pytest.mark.parametrize(
    "logits",
    [
        # Two findings nearly alike; at the threshold of an answer; at the threshold of what remains possible.
        [5.0, 5.0 - LEAD_ERROR / 2, 0, 0],
        [np.log(4.0) + LEAD_ERROR / 2, 0, -9, -9],
        [np.log(9.0) + LEAD_ERROR / 2, 0, -9, -9],
        # Far from everything but with a percentage that would visibly change.
        [np.log(3.9), 0, -9, -9],
    ],
)
def test_a_close_decision_is_recomputed(card, logits):
    assert is_doubtful(output_of(logits), card, detector=None).all()


def test_errors_of_several_logits_together_are_found(card):
    """A decision that is not recomputed stays the same with all logits moved at once, if no lead is moved further."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (300, 4)).astype(np.float32)
    doubted = is_doubtful(output_of(*logits), card, detector=None)
    assert 0 < doubted.sum() < len(doubted)
    for row in logits[~doubted]:
        told = decide(row, card)
        for change in random.uniform(-LEAD_ERROR / 2, LEAD_ERROR / 2, (50, 4)):
            moved = decide((row + change).astype(np.float32), card)
            assert (moved.outcome, moved.finding, set(moved.possible)) == (
                told.outcome,
                told.finding,
                set(told.possible),
            )
            assert np.allclose(moved.probabilities, told.probabilities, atol=PROBABILITY_ERROR)


def test_a_score_near_the_limit_of_brain_mr_is_recomputed(card):
    usual = np.eye(8, dtype=np.float32)
    statistics = Statistics.fit(usual, np.random.default_rng(0).random((8, 13), np.float32), axes=2)
    features = np.array([[1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, -1]], np.float32)
    output = output_of([9, 0, 0, 0], [9, 0, 0, 0], features=features)
    appearance = np.repeat(statistics.appearance_mean[None], 2, axis=0)
    far = float(statistics.feature_distance(features)[1])
    for limit, expected in [(far, [False, True]), (far / (1 + 2 * SCORE_ERROR), [False, False])]:
        detector = OodDetector(statistics, feature_limit=limit, appearance_limit=1.0)
        assert abs(detector.score(features, appearance)[0] - 1) > SCORE_ERROR
        assert is_doubtful(output, card, detector=detector, appearance=appearance).tolist() == expected


class Rounding:
    """An engine whose float32 logits begin with 1 and whose rounded ones begin with 0."""

    def __init__(self, card):
        self.card, self.runs = card, []

    def predict(self, batch):
        return self._run("rounded", 0.0, batch)

    def predict_exact(self, batch):
        return self._run("exact", 1.0, batch)

    def _run(self, kind, value, batch):
        self.runs.append((kind, batch.ravel().tolist()))
        return output_of(*([[value, index, 0, 0] for index in batch.ravel()]))


def test_only_close_decisions_run_again(card, monkeypatch):
    """And each gets its own numbers."""
    engine, batch = Rounding(card), np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
    monkeypatch.setattr(second_look, "is_doubtful", lambda output, card, **kinds: output.logits[:, 1] != 1)
    output = second_look.predict(engine, batch, detector=None)
    assert engine.runs == [("rounded", [0, 1, 2]), ("exact", [0, 2])]
    assert output.logits[:, :2].tolist() == [[1, 0], [0, 1], [1, 2]]


def test_an_engine_that_does_not_round_runs_once(tiny):
    size = tiny.card.preprocessing.size
    inputs = np.zeros((2, size, size, 3), np.float32)
    once, again = tiny.engine.predict(inputs), second_look.predict(tiny.engine, inputs, detector=tiny.detector)
    assert (once.logits == again.logits).all()


def test_the_margin_is_that_of_the_card(card):
    close = output_of([5.0, 4.0, 0, 0])
    assert not is_doubtful(close, replace(card, rounding=Margins(lead=0.01)), detector=None).any()
    assert is_doubtful(close, replace(card, rounding=Margins(lead=2.0)), detector=None).all()
