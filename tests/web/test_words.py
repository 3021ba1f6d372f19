"""Sentences and figures for people."""

import pytest

from classifier.findings import ANSWERS, Outcome
from classifier.models import Analysis
from classifier.web import words

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.0, "<1"), (0.0099, "<1"), (0.01, "1"), (0.456, "46"), (0.985, "98"), (0.99, "99"),
        (0.9901, ">99"), (1, ">99"),
    ],
)  # fmt: skip
def test_percentages_are_whole_and_never_none_or_all(probability, shown):
    assert words.percent(probability) == f"{shown}{NBSP}%"


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(None, ""), (0.2, "1 ms"), (85.4, "85 ms"), (999.4, "999 ms"), (1440, "1.4 s")]
)
def test_durations(milliseconds, shown):
    assert words.duration(milliseconds) == shown.replace(" ", NBSP)


@pytest.mark.parametrize(("position", "shown"), [(1, "Next in the queue"), (12, "Number 12 in the queue")])
def test_places_in_the_queue(position, shown):
    assert words.waiting(position) == shown


@pytest.mark.parametrize("state", Analysis.State.values)
def test_every_state_has_words_and_a_mark(state):
    analysis = Analysis(state=state, outcome=Outcome.NOT_BRAIN_MRI if state == "succeeded" else "")
    assert words.sentence(analysis)
    assert words.badge(analysis)
    assert words.mark_of(analysis)


@pytest.mark.parametrize("finding", ANSWERS)
def test_advice_for_every_finding_ends_with_a_person(finding):
    analysis = Analysis(state="succeeded", outcome=Outcome.CLASSIFIED, finding=finding)
    advice = words.advice(analysis)
    assert advice is not None
    assert len(advice.steps) >= 3


def test_one_possible_finding_is_not_called_a_choice():
    analysis = Analysis(state="succeeded", outcome=Outcome.UNCERTAIN, possible_findings=["meningioma"])
    assert words.sentence(analysis) == "Uncertain: perhaps meningioma"


def test_a_scan_without_analysis_has_words():
    assert words.sentence(None) == words.badge(None) == "Not analysed"


def test_a_tumor_of_unknown_kind_is_said_with_the_kinds_that_remain():
    analysis = Analysis(
        state="succeeded",
        outcome=Outcome.CLASSIFIED,
        finding="tumor",
        probabilities=[0.41, 0.5, 0.04, 0.05],
        possible_findings=["meningioma", "glioma"],
        confidence=0.96,
    )
    assert words.sentence(analysis) == f"Probably a tumor (96{NBSP}%), kind uncertain: meningioma or glioma"
    assert words.short_sentence(analysis) == "Probably a tumor"
    assert words.badge(analysis) == "Tumor of unknown kind"
    assert words.mark_of(analysis) == analysis.finding
    assert analysis.saliency_finding == "meningioma"
    assert analysis.tumor_probability == pytest.approx(0.96)
