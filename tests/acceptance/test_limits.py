"""Limits and verdicts: judged by the interval."""

import pytest

from classifier.acceptance.limits import BY_KEY, InvalidLimits, Limits, verdict


@pytest.mark.parametrize(
    ("key", "low", "high", "expected"),
    [
        ("sensitivity", 0.91, 0.99, "met"),
        ("sensitivity", 0.80, 0.89, "not_met"),
        ("sensitivity", 0.80, 0.95, "too_few"),
        ("sensitivity", None, None, "too_few"),
        ("refused", 0.85, 0.90, "met"),
        ("refused", 0.91, 0.95, "not_met"),
        ("refused", 0.0, 0.95, "too_few"),
    ],
)
def test_the_interval_decides(key, low, high, expected) -> None:
    assert verdict(BY_KEY[key], bound=0.9, low=low, high=high, enough=True) == expected
    assert verdict(BY_KEY[key], bound=0.9, low=low, high=high, enough=False) == "too_few"


@pytest.mark.parametrize(
    "values",
    [
        {"shares": {}},
        {"shares": {"kappa": 0.5}},
        {"shares": {"sensitivity": 1.2}},
        {"shares": {"sensitivity": 0.9}, "least_cases": 0},
        {"shares": {"sensitivity": 0.9}, "prevalence": 1.0},
        {"shares": {"false_omission": 0.02}},
    ],
)
def test_limits_that_say_nothing_are_refused(values) -> None:
    with pytest.raises(InvalidLimits):
        Limits(**values)


def test_limits_survive_storage() -> None:
    limits = Limits({"sensitivity": 0.9, "false_omission": 0.01}, least_cases=20, prevalence=0.1)
    assert Limits.from_dict(limits.as_dict()) == limits
