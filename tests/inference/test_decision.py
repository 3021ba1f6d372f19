from dataclasses import replace

import numpy as np
import pytest

from classifier.findings import Outcome
from classifier.inference.decision import decide
from classifier.inference.refusal import Refusal
from classifier.inference.registry import ModelError, RefusalCard, load_card

FEATURES = np.eye(6, dtype=np.float32)


@pytest.fixture
def card(tiny_folder):
    return replace(load_card(tiny_folder, verify=False), temperature=1.0, confidence_threshold=0.7)


@pytest.fixture
def refusal():
    return Refusal(FEATURES[:5], neighbours=1, threshold=0.5)


def logits(*values):
    return np.log(np.array(values, np.float32))


def test_a_confident_answer_is_classified(card, refusal):
    decision = decide(logits(0.05, 0.88, 0.02, 0.05), FEATURES[0], card, refusal=refusal)
    assert (decision.outcome, decision.finding) == (Outcome.CLASSIFIED, "meningioma")
    assert decision.confidence == pytest.approx(0.88, abs=1e-5)
    assert decision.possible == ("meningioma",)
    assert decision.ood_score == pytest.approx(0, abs=1e-6)


def test_an_unsure_answer_names_what_remains_possible(card, refusal):
    decision = decide(logits(0.3, 0.55, 0.05, 0.1), FEATURES[0], card, refusal=refusal)
    assert (decision.outcome, decision.finding) == (Outcome.UNCERTAIN, None)
    assert decision.possible[:2] == ("meningioma", "glioma")
    assert "notumor" not in decision.possible


def test_a_finding_that_is_often_missed_remains_possible_for_longer(card, refusal):
    wary = replace(card, possible_from=(0.1, 0.03, 0.1, 0.1))
    p = logits(0.90, 0.04, 0.03, 0.03)
    assert decide(p, FEATURES[0], card, refusal=refusal).possible == ("glioma",)
    assert decide(p, FEATURES[0], wary, refusal=refusal).possible == ("glioma", "meningioma")


def test_a_strange_image_is_refused_before_it_is_classified(card, refusal):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), FEATURES[5], card, refusal=refusal)
    assert decision.outcome is Outcome.NOT_BRAIN_MRI
    assert (decision.finding, decision.probabilities, decision.confidence) == (None, None, None)
    assert decision.ood_score == pytest.approx(1.0)


def test_a_model_without_a_bank_refuses_nothing(card):
    decision = decide(logits(0.01, 0.97, 0.01, 0.01), FEATURES[5], card)
    assert decision.ood_score is None
    assert decision.outcome is Outcome.CLASSIFIED


def test_scores_are_the_mean_over_the_nearest():
    refusal = Refusal(FEATURES[:3], neighbours=2, threshold=1.0)
    assert refusal.score(FEATURES[:1] * 7) == pytest.approx([0.5])


def test_a_bank_too_small_is_an_error(tmp_path, card):
    np.save(tmp_path / "bank.npy", FEATURES[:2])
    broken = RefusalCard(replace(card.weights, path=tmp_path / "bank.npy"), neighbours=3, threshold=1.0)
    with pytest.raises(ModelError, match="at least 3 rows"):
        Refusal.load(broken)
