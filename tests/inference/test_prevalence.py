import pytest

from classifier.inference.prevalence import predictive_values


def test_predictive_values_follow_bayes():
    values = predictive_values(sensitivity=0.9, specificity=0.8, prevalence=0.1)
    assert values["false_omission"] == pytest.approx(0.01 / (0.01 + 0.72))
    assert values["false_discovery"] == pytest.approx(0.18 / (0.09 + 0.18))


def test_a_perfect_network_is_never_wrong():
    assert predictive_values(sensitivity=1, specificity=1, prevalence=0.5) == {
        "false_omission": 0,
        "false_discovery": 0,
    }


def test_a_network_that_says_one_thing_only_has_no_division_by_zero():
    assert predictive_values(sensitivity=1, specificity=0, prevalence=0.2)["false_omission"] == 0
    assert predictive_values(sensitivity=0, specificity=1, prevalence=0.2)["false_discovery"] == 0
