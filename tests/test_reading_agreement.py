"""The formulas behind the statistics, against values that others have published."""

import pytest

from classifier.reading_agreement import (
    MIN_DIAGNOSES,
    Flips,
    Share,
    accuracy,
    agreement,
    cohens_kappa,
    flips,
    is_right,
    reader_pairs,
    wilson_interval,
)


def pairs_of(table: list[list[int]]) -> list[tuple[str, str]]:
    return [(str(i), str(j)) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


@pytest.mark.parametrize(
    ("table", "kappa", "low", "high"),
    [
        # SAS/STAT User's Guide, PROC FREQ, "Agreement Study": two dermatologists, 88 patients.
        ([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]], 0.3449, 0.2030, 0.4868),
        # Fleiss, Statistical Methods for Rates and Proportions (1981), p. 213: 100 subjects, standard error 0.087.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.6765, 0.5046, 0.8484),
    ],
)
def test_kappa_is_what_was_published(table, kappa, low, high):
    result = cohens_kappa(pairs_of(table))
    assert result.value == pytest.approx(kappa, abs=5e-5)
    assert result.low == pytest.approx(low, abs=5e-5)
    assert result.high == pytest.approx(high, abs=5e-5)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[25, 25], [25, 25]], 0.0),  # what chance gives
        ([[0, 10], [10, 0]], -1.0),
    ],
)
def test_kappa_counts_agreement_beyond_chance(table, kappa):
    assert cohens_kappa(pairs_of(table)).value == pytest.approx(kappa)


def test_kappa_does_not_depend_on_the_order_of_cases_or_readers():
    pairs = pairs_of([[10, 4, 1], [5, 10, 12], [2, 4, 12]])
    forward, swapped = cohens_kappa(pairs[::-1]), cohens_kappa((b, a) for a, b in pairs)
    for other in (forward, swapped):
        assert (other.value, other.low, other.high) == pytest.approx(
            (cohens_kappa(pairs).value, cohens_kappa(pairs).low, cohens_kappa(pairs).high)
        )


def test_complete_agreement_has_no_interval():
    kappa = cohens_kappa([("glioma", "glioma"), ("notumor", "notumor")])
    assert (kappa.value, kappa.low, kappa.high) == (1, None, None)


@pytest.mark.parametrize("pairs", [[], [("glioma", "glioma")], [("glioma", "glioma")] * 50])
def test_kappa_is_not_defined_without_cases_or_with_one_finding_only(pairs):
    assert cohens_kappa(pairs) is None


def test_the_interval_of_kappa_stays_between_its_bounds():
    kappa = cohens_kappa([("a", "b"), ("b", "a"), ("a", "a")])
    assert -1 <= kappa.low <= kappa.value <= kappa.high <= 1


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_is_what_was_published(count, total, low, high):
    assert wilson_interval(count, total) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(total - count, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_a_share_of_nothing_has_no_value():
    assert (Share(0, 0).value, Share(0, 0).low, Share(0, 0).high) == (None, None, None)
    assert Share(3, 4).value == 0.75


def test_agreement_counts_equal_findings():
    result = agreement([("glioma", "glioma"), ("glioma", "notumor"), ("notumor", "notumor")])
    assert result.share == Share(2, 3)
    assert result.kappa.value == pytest.approx(0.4)
    assert agreement([]).share == Share(0, 0)


def test_a_case_gives_one_pair_of_its_first_two_readers():
    readings = [
        (1, "b", "glioma"), (1, "a", "notumor"), (1, "c", "glioma"),
        (2, "a", "pituitary"), (2, "b", "pituitary"),
        (3, "c", "glioma"),
    ]  # fmt: skip
    # In each pair, reader a stands before reader b.
    assert reader_pairs(readings) == [("notumor", "glioma"), ("pituitary", "pituitary")]


def test_the_last_reading_of_a_reader_holds():
    readings = [(1, "a", "glioma"), (1, "b", "notumor"), (1, "a", "notumor")]
    assert reader_pairs(readings) == [("notumor", "notumor")]


@pytest.mark.parametrize(
    ("reading", "diagnosis", "right"),
    [
        ("glioma", "glioma", True),
        ("glioma", "meningioma", False),
        ("tumor", "meningioma", True),
        ("pituitary", "tumor", True),
        ("tumor", "tumor", True),
        ("notumor", "tumor", False),
        ("tumor", "notumor", False),
        ("tumor", "other_disease", False),
        ("other_disease", "tumor", False),
        ("other_disease", "other_disease", True),
    ],
)
def test_a_tumor_of_unknown_kind_fits_every_kind(reading, diagnosis, right):
    assert is_right(reading, diagnosis) is right


def test_flips_are_counted_in_both_directions():
    readings = [
        ("glioma", "glioma", "glioma"),
        ("glioma", "notumor", "glioma"),
        ("glioma", "meningioma", "glioma"),
        ("notumor", "glioma", "glioma"),
        ("notumor", "meningioma", "glioma"),
        ("glioma", "", "glioma"),
    ]
    counts = flips(readings)
    assert counts == Flips(stayed_right=1, to_wrong=2, to_right=1, stayed_wrong=1, open=1)
    assert counts.total == 6
    assert flips([]) == Flips()


def row(result, finding):
    return next(row for row in result.findings if row.finding == finding)


def test_accuracy_waits_for_enough_diagnoses():
    few = accuracy([("glioma", "glioma")] * (MIN_DIAGNOSES - 1))
    assert (few.diagnoses, few.findings) == (MIN_DIAGNOSES - 1, ())
    enough = accuracy([("glioma", "glioma")] * MIN_DIAGNOSES)
    assert [row.finding for row in enough.findings] == ["tumor", "glioma", "meningioma", "notumor", "pituitary"]
    assert row(enough, "glioma").sensitivity == Share(20, 20)
    assert row(enough, "glioma").specificity == Share(0, 0)


def test_accuracy_of_each_finding():
    cases = [
        *[("glioma", "glioma")] * 6, *[("meningioma", "glioma")] * 2, *[("notumor", "glioma")], ("", "glioma"),
        *[("meningioma", "meningioma")] * 3, ("glioma", "meningioma"),
        *[("notumor", "notumor")] * 8, ("glioma", "notumor"), ("", "notumor"),
    ]  # fmt: skip
    result = accuracy(cases)
    assert (result.diagnoses, result.without_finding) == (24, 2)
    assert row(result, "glioma").sensitivity == Share(6, 10)
    assert row(result, "glioma").specificity == Share(12, 14)
    assert row(result, "meningioma").sensitivity == Share(3, 4)
    assert row(result, "meningioma").specificity == Share(18, 20)
    assert row(result, "notumor").sensitivity == Share(8, 10)
    assert row(result, "notumor").specificity == Share(13, 14)
    assert row(result, "pituitary").sensitivity == Share(0, 0)
    # Of any kind: the wrong kind is still a tumor, an answer without a finding is not.
    assert row(result, "tumor").sensitivity == Share(12, 14)
    assert row(result, "tumor").specificity == Share(9, 10)


def test_what_a_diagnosis_does_not_tell_is_left_out():
    cases = [("glioma", "glioma")] * 20
    unknown = accuracy([*cases, ("tumor", "tumor"), ("notumor", "tumor")])
    assert row(unknown, "glioma").specificity == Share(0, 0)
    assert row(unknown, "tumor").sensitivity == Share(21, 22)
    assert row(unknown, "notumor").specificity == Share(21, 22)
    other = accuracy([*cases, ("notumor", "other_disease"), ("glioma", "other_disease")])
    assert row(other, "glioma").specificity == Share(1, 2)
    assert row(other, "tumor").specificity == Share(0, 0)
    assert row(other, "notumor").sensitivity == Share(0, 0)
    assert row(other, "notumor").specificity == Share(20, 20)


def test_a_tumor_of_unknown_kind_names_no_kind():
    result = accuracy([("tumor", "glioma")] * 20)
    assert row(result, "tumor").sensitivity == Share(20, 20)
    assert row(result, "glioma").sensitivity == Share(0, 20)
