"""Explanations of answers never contradict the answer, the list of possible findings, or the bars."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.advice import advice
from classifier.evidence import SPLIT_FROM, AnswerRule, Ground, ground
from classifier.explanation import reason, remaining_reasons
from classifier.findings import FINDING_LABELS, FINDINGS, TUMOR, Outcome, likely_kinds, remaining
from classifier.inference.decision import answer, possible_findings
from classifier.inference.registry import Thresholds
from classifier.wording import ResultData, alternatives, remaining_findings, sentence

RULE = AnswerRule(
    finding=0.55,
    notumor=0.94,
    tumor=0.65,
    possible={"glioma": 0.035, "meningioma": 0.016, "notumor": 0.1, "pituitary": 0.1},
)
# Busy machines draw slowly.
any_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PERCENT = r"(<1|>99|\d+(?:\.\d+)?)%"
shares = st.floats(0.001, 1.0)
thresholds = st.floats(0.01, 0.99)
# Whole numbers make ties, and probabilities that equal a threshold.
weights = st.lists(st.one_of(st.integers(1, 100), shares), min_size=4, max_size=4)


@st.composite
def results(draw):
    """Results as the program decides and stores them, under any thresholds."""
    parts = np.array(draw(weights), np.float64)
    p = (parts / parts.sum()).astype(np.float32)
    least = draw(st.lists(thresholds, min_size=4, max_size=4))
    finding, notumor, tumor = draw(thresholds), draw(thresholds), draw(st.none() | thresholds)
    said = answer(p, Thresholds(finding, notumor=notumor, tumor=tumor))
    return ResultData(
        outcome=Outcome.UNCERTAIN if said is None else Outcome.CLASSIFIED,
        finding=said or "",
        probabilities=[round(float(value), 6) for value in p],
        possible_findings=possible_findings(p, least),
        confidence=float(p.max()),
        answer_rule=AnswerRule(
            finding=finding, notumor=notumor, tumor=tumor, possible=dict(zip(FINDINGS, least, strict=True))
        ),
    )


def number(text):
    return {"<1": 0.5, ">99": 99.5}.get(text) or float(text)


@any_machine
@given(results())
def test_a_listed_finding_is_never_less_probable_than_an_unlisted_one(result):
    listed = remaining_findings(result)
    p = dict(zip(FINDINGS, result.probabilities, strict=True))
    assert listed
    assert all(p[inside] >= p[outside] for inside in listed for outside in set(FINDINGS) - set(listed))
    if result.outcome == Outcome.UNCERTAIN:
        assert sentence(result) == f"Uncertain: {alternatives(result)}"
        assert set(re.findall("glioma|meningioma|no tumor|pituitary tumor", alternatives(result))) == {
            FINDING_LABELS[name] for name in listed
        }
    if result.finding == TUMOR:
        assert "notumor" not in likely_kinds(result.probabilities, listed)


@any_machine
@given(results())
def test_split_is_reported_exactly_of_split_evidence(result):
    second, first = sorted(result.probabilities)[-2:]
    split = result.outcome == Outcome.UNCERTAIN and second >= SPLIT_FROM * first
    assert ("split" in reason(result)) is split
    if result.outcome == Outcome.UNCERTAIN:
        assert ("split" in advice(result).meaning) is split


@any_machine
@given(results())
def test_comparisons_are_true_as_they_are_read(result):
    for line in (reason(result), *remaining_reasons(result)):
        for value, limit in re.findall(rf"{PERCENT}, below the {PERCENT}", line):
            assert number(value) < number(limit)
        for value, limit in re.findall(rf"{PERCENT}, at least the {PERCENT}", line):
            assert number(value) >= number(limit)


@any_machine
@given(results())
def test_each_finding_is_explained_as_it_is_listed(result):
    listed = remaining_findings(result)
    lines = remaining_reasons(result)
    assert len(lines) == len(FINDINGS)
    assert sum("below the" in line for line in lines) == len(FINDINGS) - len(listed)


def uncertain(*p, rule=RULE):
    reached = [name for name, value in zip(FINDINGS, p, strict=True) if value >= RULE["possible"][name]]
    return ResultData(
        outcome=Outcome.UNCERTAIN, probabilities=p, possible_findings=reached, confidence=max(p), answer_rule=rule
    )


def test_a_leading_finding_below_its_threshold():
    result = uncertain(0.11, 0.01, 0.87, 0.01)
    assert ground(outcome=result.outcome, finding="", probabilities=result.probabilities) is Ground.BELOW
    assert reason(result) == "No tumor 87%, below the 94% that this model requires to report no tumor."


def test_split_evidence():
    assert reason(uncertain(0.45, 0.02, 0.52, 0.01)) == (
        "The evidence is split: no tumor 52%, glioma 45%. This model requires 94% to report no tumor."
    )


def test_a_tumor_of_unknown_kind():
    result = replace(uncertain(0.5, 0.41, 0.04, 0.05), outcome=Outcome.CLASSIFIED, finding=TUMOR)
    assert reason(result) == (
        "A tumor of any kind 96%, at least the 65% that this model requires to report a tumor. "
        "Glioma 50%, below the 55% required to name its kind."
    )


def test_a_more_probable_finding_is_listed_with_a_less_probable_one():
    # Meningioma alone reaches its threshold, and glioma leads: pituitary tumor lies between them.
    result = uncertain(0.81, 0.04, 0.07, 0.08)
    assert remaining_findings(result) == ("glioma", "pituitary", "notumor", "meningioma")
    assert remaining_reasons(result)[1] == "Pituitary tumor 8%, listed because meningioma, no more probable, is."


def test_close_numbers_are_told_apart():
    assert reason(uncertain(0.05, 0.005, 0.9396, 0.0054)).startswith("No tumor 93.96%, below the 94.00%")


@pytest.mark.parametrize("rule", [None, RULE])
def test_an_answer_without_its_thresholds_is_explained_without_numbers_of_them(rule):
    text = reason(uncertain(0.11, 0.01, 0.87, 0.01, rule=rule))
    assert ("94%" in text) is (rule is not None)
    assert text.startswith("No tumor 87%")


def test_nothing_is_explained_of_what_has_no_probabilities():
    assert reason(ResultData(outcome=Outcome.NOT_BRAIN_MRI)) == ""
    assert remaining_reasons(ResultData(outcome=Outcome.NOT_BRAIN_MRI)) == []


def test_findings_remain_in_order_of_probability():
    assert remaining([0.2, 0.3, 0.1, 0.4], ["glioma"]) == ("pituitary", "meningioma", "glioma")
    assert remaining([0.2, 0.3, 0.1, 0.4], []) == ("pituitary",)
