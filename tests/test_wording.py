"""Sentences and figures about analyses."""

import pytest

from classifier import wording
from classifier.advice import advice
from classifier.findings import ANSWERS, Outcome
from classifier.models import Analysis

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "<1"), (0.0099, "<1"), (0.01, "1"), (0.456, "46"), (0.985, "98"), (0.99, "99"),
        (0.9901, ">99"), (1, ">99"),
    ],
)  # fmt: skip
def test_percentages_are_whole_and_never_none_or_all(value, shown):
    assert wording.probability(value) == f"{shown}%"


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(None, ""), (0.2, "1 ms"), (85.4, "85 ms"), (999.4, "999 ms"), (1440, "1.4 s"), (720_000, "12 min")],
)
def test_durations(milliseconds, shown):
    assert wording.duration(milliseconds) == shown.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("position", "shown"),
    [
        (1, "Next"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
        (30, "30th"), (101, "101st"), (111, "111th"), (122, "122nd"),
    ],
)  # fmt: skip
def test_places_in_the_queue(position, shown):
    assert wording.queue_place(position) == f"{shown} in the queue"


@pytest.mark.parametrize("state", Analysis.State.values)
def test_every_state_has_words_and_a_mark(state):
    analysis = Analysis(state=state, outcome=Outcome.NOT_BRAIN_MRI if state == "succeeded" else "")
    assert wording.sentence(analysis)
    assert wording.mark(analysis)


@pytest.mark.parametrize("finding", ANSWERS)
def test_advice_for_every_finding_ends_with_a_person(finding):
    analysis = Analysis(state="succeeded", outcome=Outcome.CLASSIFIED, finding=finding)
    advised = advice(analysis)
    assert advised is not None
    assert len(advised.steps) >= 3


def test_figures_have_their_intervals_in_brackets():
    assert wording.with_interval(0.8671, 0.8018, 0.9266, digits=1) == "86.7% (80.2–92.7)"
    assert wording.with_interval(0.8671, 0.8018, 0.9266) == "87% (80–93)"
    assert wording.with_interval(0.9642, 0.934, 0.986, digits=3, is_share=False) == "0.964 (0.934–0.986)"
    assert wording.with_interval(0.9642, None, None, digits=3, is_share=False) == "0.964"


def test_a_measured_share_keeps_its_digits():
    assert wording.percent(0.9994) == ">99%"
    assert wording.percent(0.9996, digits=1) == ">99.9%"
    assert wording.percent(0.0004, digits=1) == "<0.1%"
    assert [wording.percent(share, digits=1) for share in (0.0, 1.0)] == ["0.0%", "100.0%"]
    assert wording.percent(0.9994, digits=1) == "99.9%"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["glioma"], "glioma"),
        (["glioma", "notumor"], "glioma or no tumor"),
        (["glioma", "meningioma", "notumor"], "glioma, meningioma, or no tumor"),
    ],
)
def test_choices_of_findings(names, shown):
    assert wording.choice(names) == shown


def test_one_possible_finding_is_not_called_a_choice():
    analysis = Analysis(state="succeeded", outcome=Outcome.UNCERTAIN, possible_findings=["meningioma"])
    assert wording.sentence(analysis) == "Uncertain: possibly meningioma"


def test_a_scan_without_analysis_has_words():
    assert wording.sentence(None) == wording.short_sentence(None) == "Not analyzed"


def test_a_tumor_of_unknown_kind_is_reported_with_the_kinds_that_remain():
    analysis = Analysis(
        state="succeeded",
        outcome=Outcome.CLASSIFIED,
        finding="tumor",
        probabilities=[0.41, 0.5, 0.04, 0.05],
        possible_findings=["meningioma", "glioma"],
        confidence=0.96,
    )
    assert wording.sentence(analysis) == "Probably a tumor (96%), kind uncertain: meningioma or glioma"
    assert wording.short_sentence(analysis) == "Probably a tumor, kind uncertain: meningioma or glioma"
    one_kind = wording.ResultData("classified", "tumor", [0.7, 0.02, 0.26, 0.02], ("glioma", "notumor"), 0.74)
    assert wording.sentence(one_kind) == "Probably a tumor (74%), kind uncertain: possibly glioma"
    assert wording.mark(analysis) == analysis.finding
    assert analysis.saliency_finding == "meningioma"
    assert analysis.tumor_probability == pytest.approx(0.96)


def test_a_stated_share_is_as_precise_as_it_was_stated() -> None:
    shares = (0.95, 0.025, 0.07, 0.99996, 1.0)
    assert [wording.exact_percent(share) for share in shares] == ["95%", "2.5%", "7%", "99.996%", "100%"]
