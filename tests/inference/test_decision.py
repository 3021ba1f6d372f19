from dataclasses import replace

import numpy as np
import pytest

from classifier.findings import Outcome
from classifier.inference.decision import decide
from classifier.inference.registry import load_card


@pytest.fixture
def card(tiny_folder):
    return replace(load_card(tiny_folder, verify=False), temperature=1.0, confidence_threshold=0.7)


def logits(*values):
    return np.log(np.array(values, np.float32))


def test_a_confident_answer_is_classified(card):
    decision = decide(logits(0.05, 0.88, 0.02, 0.05), card, ood_score=0.2)
    assert (decision.outcome, decision.finding) == (Outcome.CLASSIFIED, "meningioma")
    assert decision.confidence == pytest.approx(0.88, abs=1e-5)
    assert decision.possible == ("meningioma",)
    assert decision.ood_score == 0.2


def test_an_unsure_answer_names_what_remains_possible(card):
    decision = decide(logits(0.3, 0.55, 0.05, 0.1), card, ood_score=0.2)
    assert (decision.outcome, decision.finding) == (Outcome.UNCERTAIN, None)
    assert decision.possible[:2] == ("meningioma", "glioma")
    assert "notumor" not in decision.possible


def test_a_finding_that_is_often_missed_remains_possible_for_longer(card):
    wary = replace(card, possible_from=(0.1, 0.03, 0.1, 0.1))
    p = logits(0.90, 0.04, 0.03, 0.03)
    assert decide(p, card, ood_score=0.2).possible == ("glioma",)
    assert decide(p, wary).possible == ("glioma", "meningioma")


def test_a_strange_image_is_refused_before_it_is_classified(card):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), card, ood_score=1.01)
    assert decision.outcome is Outcome.NOT_BRAIN_MRI
    assert (decision.finding, decision.probabilities, decision.confidence) == (None, None, None)
    assert decision.ood_score == 1.01


def test_a_model_that_cannot_tell_refuses_nothing(card):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), card)
    assert decision.ood_score is None
    assert decision.outcome is Outcome.CLASSIFIED
