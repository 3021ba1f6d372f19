"""Figures on pages: signs and intervals that no line breaks apart."""

from classifier.templatetags.brainscan import true_minus, unbroken


def test_a_negative_number_has_a_minus_sign() -> None:
    assert [true_minus(text) for text in ("-0.12", "0.12")] == ["−0.12", "0.12"]


def test_an_interval_stays_in_one_line() -> None:
    assert unbroken("94.1% (88.0–97.6)") == '94.1% <span class="nowrap">(88.0–97.6)</span>'
    assert unbroken("<b>") == '<span class="nowrap">&lt;b&gt;</span>'
