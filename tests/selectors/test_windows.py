"""How far back a search looks first, from what its next texts say."""

from datetime import UTC, datetime, timedelta

import pytest

from classifier.selectors.lists.text import MICROSECONDS, POSITIONS, Sampled

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def key(at: datetime) -> int:
    return int(at.timestamp() * MICROSECONDS) * POSITIONS


def span(texts: int, *, days: int) -> tuple[int, int, int]:
    """So many texts of the last days."""
    return texts, key(NOW - timedelta(days=days)), key(NOW)


def sampled(*spans: tuple[int, int, int], ascending: bool = False) -> Sampled:
    return Sampled([], [], 0.1, spans, ascending)


@pytest.mark.parametrize(
    ("found", "number", "days"),
    [
        (sampled(span(100, days=10)), 200, 20),
        (sampled(span(100, days=10), span(100, days=10)), 200, 10),
        (sampled(span(100, days=10), span(300, days=10)), 200, 5),
    ],
    ids=["one search", "two", "two of unlike density"],
)
def test_a_window_ends_where_so_many_texts_are_expected(found, number, days):
    assert abs(found.end_of(number) - (NOW - timedelta(days=days))) < timedelta(seconds=1)


def test_it_goes_forward_from_the_oldest_text():
    found = sampled(span(100, days=10), ascending=True)
    assert abs(found.end_of(50) - (NOW - timedelta(days=5))) < timedelta(seconds=1)


def test_it_has_no_end_without_texts():
    assert sampled().end_of(10) is None


def test_one_text_says_that_they_lie_close_and_any_number_is_a_time():
    assert sampled((1, key(NOW), key(NOW))).end_of(10) <= NOW
    assert sampled(span(1, days=3000)).end_of(1e12).year < 2000


@pytest.mark.parametrize(("ago", "days"), [(5, 25), (-3, 20)], ids=["some", "none"])
def test_texts_of_sealed_scans_do_not_count(ago, days):
    end = sampled(span(100, days=10)).end_of(200, before=NOW - timedelta(days=ago))
    assert abs(end - (NOW - timedelta(days=days))) < timedelta(seconds=1)


def test_sealed_scans_come_last_if_the_oldest_come_first():
    found = sampled(span(100, days=10), ascending=True)
    assert found.end_of(50, before=NOW - timedelta(days=9)) == found.end_of(50)
