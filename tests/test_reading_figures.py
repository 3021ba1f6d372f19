"""Figures about readers: sums that single nobody out."""

import pytest

from classifier.reading_agreement import Flips, Share
from classifier.reading_figures import FirstRead, Reading, reader_figures, shown


def reading(case, reader, answer="glioma", finding="glioma", month="2026-11") -> Reading:
    return Reading(case, reader, month, answer, finding)


def first_read(case, reader, before="glioma", month="2026-11", **fields) -> FirstRead:
    return FirstRead(case, reader, month, before, **fields)


def test_no_readings_are_zero_cases_not_withheld():
    figures = reader_figures([], [])
    assert (figures.readers, figures.reviews.share, figures.flips) == (0, Share(0, 0), Flips())
    assert figures.reviews_by_answer == figures.reviews_by_month == figures.flips_by_diagnosis == ()


def test_the_figures_of_a_single_reader_are_withheld_from_a_sum():
    readings = [reading(n, "a") for n in range(5)]
    first = [first_read(n, "a", answer="glioma", after="glioma", diagnosis="glioma") for n in range(5)]
    figures = reader_figures(readings, first)
    assert figures.readers == 1
    assert (figures.reviews, figures.first_reads, figures.changed, figures.flips) == (None,) * 4
    assert [row.share for row in (*figures.reviews_by_answer, *figures.reviews_by_month)] == [None, None]
    assert [row.flips for row in (*figures.flips_by_diagnosis, *figures.flips_by_month)] == [None, None]


def test_a_person_sees_their_own_figures():
    figures = reader_figures([reading(1, "a"), reading(2, "a", finding="notumor")], [], min_readers=1)
    assert figures.reviews.share == Share(1, 2)
    assert [(row.name, row.share) for row in figures.reviews_by_answer] == [("glioma", Share(1, 2))]


def test_each_figure_needs_two_readers_of_its_own():
    readings = [reading(1, "a"), reading(2, "b", finding="notumor")]
    first = [first_read(1, "a", answer="glioma", after="glioma", diagnosis="glioma")]
    figures = reader_figures(readings, first)
    assert figures.reviews.share == Share(1, 2)
    assert (figures.first_reads, figures.flips) == (None, None)


def test_a_part_of_one_reader_is_withheld_with_another_part():
    readings = [
        reading(1, "a"), reading(2, "b"), reading(3, "c"),
        reading(4, "a", answer="notumor", finding="notumor"), reading(5, "b", answer="notumor", finding="notumor"),
        reading(6, "c", answer="uncertain", finding="glioma"),
    ]  # fmt: skip
    figures = reader_figures(readings, [])
    assert [(row.name, row.share) for row in figures.reviews_by_answer] == [
        ("glioma", Share(3, 3)), ("notumor", None), ("uncertain", None),
    ]  # fmt: skip
    assert figures.reviews.share == Share(5, 6)


@pytest.mark.parametrize(
    ("readers", "kept"),
    [
        ({"a": "xy", "b": "xyz"}, {"a", "b"}),
        ({"a": "x", "b": "xyz", "c": "xy"}, {"b"}),
        ({"a": "x", "b": "y", "c": "xy"}, {"c"}),
        ({"a": "x"}, set()),
        ({}, set()),
    ],
)
def test_rows_that_could_be_told_from_the_sum_are_withheld(readers, kept):
    assert shown(readers, min_readers=2) == kept


def test_flips_need_a_diagnosis_and_a_second_judgment():
    first = [
        first_read(1, "a", before="notumor", answer="glioma", after="glioma", diagnosis="glioma"),
        first_read(2, "b", before="glioma", answer="notumor", after="notumor", diagnosis="glioma", month="2026-10"),
        first_read(3, "a", answer="glioma", after="glioma"),
        first_read(4, "b", answer="glioma", diagnosis="glioma"),
        first_read(5, "b", after="", diagnosis="glioma"),
    ]
    figures = reader_figures([], first)
    assert figures.flips == Flips(to_right=1, to_wrong=1, open=1)
    assert figures.changed == Share(2, 3)
    # Answers that name no finding are not compared.
    assert figures.first_reads.share == Share(2, 4)
    own = reader_figures([], first, min_readers=1)
    assert [(row.name, row.flips.to_right, row.flips.to_wrong) for row in own.flips_by_month] == [
        ("2026-10", 0, 1), ("2026-11", 1, 0),
    ]  # fmt: skip


def test_readers_are_compared_before_and_after_the_answer():
    first = [first_read(1, "a"), first_read(1, "b", before="notumor"), first_read(2, "a")]
    readings = [reading(1, "a"), reading(1, "b"), reading(2, "b")]
    figures = reader_figures(readings, first)
    assert figures.between_first_reads.share == Share(0, 1)
    assert figures.between_reviews.share == Share(1, 1)
