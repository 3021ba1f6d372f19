from dataclasses import replace

import numpy as np
import pytest

from classifier.findings import Outcome
from classifier.inference.calibration import Calibration
from classifier.inference.decision import decide
from classifier.inference.registry import Thresholds, load_card


@pytest.fixture
def card(tiny_folder):
    thresholds = Thresholds(0.7, notumor=0.8, tumor=0.9)
    return replace(load_card(tiny_folder, verify=False), calibration=Calibration(), thresholds=thresholds)


def logits(*values):
    return np.log(np.array(values, np.float32))


def test_a_confident_answer_is_classified(card):
    decision = decide(logits(0.05, 0.88, 0.02, 0.05), card, ood_score=0.2)
    assert (decision.outcome, decision.finding) == (Outcome.CLASSIFIED, "meningioma")
    assert decision.confidence == pytest.approx(0.88, abs=1e-5)
    assert decision.possible == ("meningioma",)
    assert decision.ood_score == 0.2


def test_a_tumor_of_unknown_kind_is_reported_where_only_the_kind_is_open(card):
    decision = decide(logits(0.5, 0.44, 0.04, 0.02), card, ood_score=0.2)
    assert (decision.outcome, decision.finding) == (Outcome.CLASSIFIED, "tumor")
    assert decision.confidence == decision.tumor_probability == pytest.approx(0.96, abs=1e-5)
    assert decision.possible == ("glioma", "meningioma")


def test_a_card_without_a_tumor_threshold_calls_an_open_kind_uncertain(card):
    old = replace(card, thresholds=Thresholds(0.7, notumor=0.7))
    assert decide(logits(0.5, 0.44, 0.04, 0.02), old).outcome is Outcome.UNCERTAIN


@pytest.mark.parametrize(("p", "outcome"), [(0.79, Outcome.UNCERTAIN), (0.81, Outcome.CLASSIFIED)])
def test_no_tumor_has_a_threshold_of_its_own(card, p, outcome):
    rest = (1 - p) / 3
    decision = decide(logits(rest, rest, p, rest), card)
    assert decision.outcome is outcome
    assert decision.finding == ("notumor" if outcome is Outcome.CLASSIFIED else None)


def test_an_unsure_answer_names_what_remains_possible(card):
    decision = decide(logits(0.2, 0.55, 0.15, 0.1), card, ood_score=0.2)
    assert (decision.outcome, decision.finding) == (Outcome.UNCERTAIN, None)
    assert decision.possible[:2] == ("meningioma", "glioma")
    assert "pituitary" not in decision.possible[:3]


def test_a_finding_that_is_often_missed_remains_possible_for_longer(card):
    wary = replace(card, possible_from=(0.1, 0.03, 0.1, 0.1))
    p = logits(0.90, 0.04, 0.03, 0.03)
    assert decide(p, card, ood_score=0.2).possible == ("glioma",)
    assert decide(p, wary).possible == ("glioma", "meningioma")


def test_an_out_of_distribution_image_is_refused_before_it_is_classified(card):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), card, ood_score=1.01)
    assert decision.outcome is Outcome.NOT_BRAIN_MRI
    assert (decision.finding, decision.probabilities, decision.confidence) == (None, None, None)
    assert decision.ood_score == 1.01


def test_a_model_that_cannot_tell_refuses_nothing(card):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), card)
    assert decision.ood_score is None
    assert decision.outcome is Outcome.CLASSIFIED
