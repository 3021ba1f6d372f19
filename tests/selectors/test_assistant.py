"""The scoreboard of language models: what counts, and what does not."""

import pytest

from classifier.models import Explanation, PictureCheck
from classifier.selectors.assistant import scores

pytestmark = pytest.mark.django_db


@pytest.fixture
def add(scan, owner):
    """Return a function that stores an explanation, with a check if it has marks."""

    def add(marks=(), *, check_state="succeeded", failure="", **fields) -> Explanation:
        values = {"provider": "local", "model": "m", "attempts": 1, "seconds": 2.0, "input_tokens": 10} | fields
        row = Explanation.objects.create(scan=scan, analysis=scan.current_analysis, requested_by=owner, **values)
        if marks or check_state != "succeeded":
            statements = [{"text": "x", "mark": mark, "reason": reason} for mark, reason in marks]
            PictureCheck.objects.create(
                explanation=row, statements=statements, state=check_state, failure_message=failure, seconds=1.0,
                input_tokens=5,
            )  # fmt: skip
        return row

    return add


def test_sums_are_those_of_the_rows(add):
    add([("from_picture", ""), ("not_from_picture", "on_blank")], blocked=["finding", "link"])
    add([("not_from_picture", "side_kept"), ("not_checked", "")], failure="The provider local reports an error.")
    add(check_state="failed", failure="down")
    add(state="failed", failure_message="down", seconds=None, input_tokens=0)
    add(state="failed", failure_message="contradicted", blocked=["number"], seconds=None, input_tokens=0)
    (score,) = scores()
    figures = score.figures
    assert (figures.explanations, figures.errors, figures.check_errors) == (5, 1, 2)
    assert (figures.removed, figures.contradictions) == (3, 2)
    assert (figures.statements, figures.on_blank, figures.not_from_picture, figures.unchecked) == (3, 1, 2, 1)
    assert (score.on_blank, score.unchanged) == ("33% of 3", "67% of 3")
    assert figures.seconds == 3.0


def test_what_was_never_sent_and_what_still_runs_do_not_count(add):
    add(attempts=0, state="failed", failure_message="no worker")
    add(state="queued")
    add(provider="built-in", model="")
    add(provider="other", model="n")
    assert [(score.provider, score.figures.explanations) for score in scores()] == [("local", 0), ("other", 1)]


def test_models_of_one_provider_are_told_apart(add):
    add(model="a")
    add(model="b")
    assert [(score.model, score.source) for score in scores()] == [
        ("a", "Explanations of people"),
        ("b", "Explanations of people"),
    ]


def test_without_a_check_no_share_is_claimed(add):
    add()
    assert scores()[0].on_blank == "none checked"
