"""Figures of an acceptance report: what they count, and intervals by patient."""

from datetime import date

import numpy as np
import pytest

from classifier.acceptance.cases import CaseResult, Cases
from classifier.acceptance.figures import confusion, figures_of, judge, overall, reliability
from classifier.acceptance.limits import Limits
from classifier.acceptance.refit import refit
from classifier.acceptance.report import Circumstances, MeasuredModel, build_report
from classifier.findings import FINDINGS, Outcome
from classifier.inference.calibration import Calibration
from classifier.inference.registry import Thresholds

THRESHOLDS = Thresholds(0.5, notumor=0.5, tumor=0.6)


def result(patient: str, truth: str, answer: str, *, best: str | None = None, logit: float = 3.0) -> CaseResult:
    """A case whose most probable finding is `best`, by default the answer."""
    best = best or (answer if answer in FINDINGS else "glioma")
    logits = [logit if name == best else 0.0 for name in FINDINGS]
    p = Calibration().probabilities(np.array(logits, np.float32)).tolist()
    refused = answer == Outcome.NOT_BRAIN_MRI
    finding = answer if answer not in list(Outcome) else ""
    outcome = answer if not finding else Outcome.CLASSIFIED
    return CaseResult(patient, truth, outcome, finding, None if refused else p, None if refused else logits, None)


def by_key(results, **options) -> dict:
    options.setdefault("prevalence", None)
    return {figure.key: figure for figure in figures_of(Cases.of(results), **options)}


def test_each_figure_counts_what_it_says() -> None:
    found = by_key(
        [
            result("a", "glioma", "glioma"),
            result("b", "glioma", "notumor"),
            result("c", "meningioma", "tumor", best="pituitary"),
            result("d", "tumor", "glioma"),
            result("e", "notumor", "notumor"),
            result("f", "notumor", "uncertain", best="glioma"),
            result("g", "other_disease", "notumor"),
            result("h", "pituitary", "not_brain_mri"),
            result("i", "", "glioma"),
        ]
    )
    counted = {key: (figure.hits, figure.images) for key, figure in found.items()}
    assert counted["accuracy"] == (2, 5)
    assert counted["answered_accuracy"] == (4, 6)
    assert counted["sensitivity"] == (3, 4)
    assert counted["specificity"] == (2, 3)
    assert counted["missed"] == (1, 5)
    assert counted["recall_glioma"] == (1, 2)
    assert counted["recall_pituitary"] == (0, 0)
    assert counted["refused"] == (1, 8)
    assert counted["uncertain"] == (1, 8)
    assert found["recall_pituitary"].value is None


def test_patients_are_resampled_and_agreement_is_no_certainty() -> None:
    same = [result("a", "glioma", "glioma") for _ in range(200)] + [result("b", "notumor", "notumor")]
    few = by_key(same)["sensitivity"]
    assert (few.value, few.high, few.patients) == (1.0, 1.0, 1)
    assert few.low is not None
    assert few.low < 0.3
    many = by_key([result(f"p{i}", "glioma", "glioma") for i in range(200)])["sensitivity"]
    assert many.low == pytest.approx(0.981, abs=0.001)


def test_predictive_values_follow_from_the_prevalence() -> None:
    results = [result(f"t{i}", "glioma", "glioma" if i < 90 else "notumor") for i in range(100)]
    results += [result(f"n{i}", "notumor", "notumor" if i < 80 else "glioma") for i in range(100)]
    found = by_key(results, prevalence=0.1)
    # 0.1 x 0.1 missed of 0.01 + 0.9 x 0.8 called no tumor; 0.9 x 0.2 false of 0.18 + 0.1 x 0.9 called a tumor.
    assert found["false_omission"].value == pytest.approx(0.01 / 0.73)
    assert found["false_discovery"].value == pytest.approx(0.18 / 0.27)
    for key in ("false_omission", "false_discovery"):
        assert found[key].low < found[key].value < found[key].high


def test_a_refused_patient_counts_in_no_rate_that_leaves_refused_images_out() -> None:
    results = [
        result("a", "glioma", "glioma"),
        result("b", "notumor", "notumor"),
        result("c", "glioma", "not_brain_mri"),
    ]
    found = by_key(results, prevalence=0.1)
    assert (found["false_omission"].images, found["false_omission"].patients) == (2, 2)


def test_one_patient_proves_no_calibration() -> None:
    found = by_key([result("a", "glioma", "glioma"), result("a", "glioma", "glioma")])["ece"]
    assert (found.low, found.high, found.patients) == (0.0, 1.0, 1)


def test_no_limit_is_judged_with_too_few_cases() -> None:
    results = [result(f"t{i}", "glioma", "glioma") for i in range(100)]
    figures = figures_of(Cases.of(results), prevalence=None)
    for least, expected in ((100, "met"), (101, "too_few")):
        judged = judge(figures, Limits({"sensitivity": 0.9}, least_cases=least), cases=len(results))
        assert [row.verdict for row in judged] == [expected]
        assert overall(judged) == expected
    judged = judge(figures, Limits({"sensitivity": 0.9, "specificity": 0.9}, least_cases=1), cases=100)
    assert [row.verdict for row in judged] == ["met", "too_few"]
    assert overall(judged) == "too_few"
    judged = judge(figures, Limits({"sensitivity": 0.9, "refused": 0.0}, least_cases=1), cases=100)
    assert overall(judged) == "too_few"


def test_tables_count_truths_answers_and_bins() -> None:
    cases = Cases.of([result("a", "glioma", "glioma"), result("b", "glioma", "uncertain"), result("c", "", "glioma")])
    assert confusion(cases) == {"glioma": {"glioma": 1, "uncertain": 1}}
    assert [row["images"] for row in reliability(cases)] == [2]


def overconfident(number: int = 240, *, seed: int = 1) -> list[CaseResult]:
    """Cases of which a quarter is wrong, all with the same high confidence."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(number):
        truth = FINDINGS[i % 4]
        best = truth if rng.random() < 0.75 else FINDINGS[rng.integers(4)]
        made.append(result(f"p{i}", truth, best, logit=float(6 + rng.random())))
    return made


def test_a_site_calibration_mends_confidence_on_other_patients() -> None:
    fit = refit(Cases.of(overconfident()), calibration=Calibration(), thresholds=THRESHOLDS)
    assert fit is not None
    assert fit.calibration["temperature"] > 1.5
    assert fit.before["ece"] > 0.15
    assert fit.after["ece"] < 0.10
    assert fit.after["nll"] < fit.before["nll"]
    assert (fit.cases, fit.patients) == (240, 240)


def test_few_patients_fit_nothing() -> None:
    results = overconfident(240)
    clear = [item for item in results if item.truth == "notumor"][:19]
    cases = Cases.of([item for item in results if item.truth != "notumor"] + clear)
    assert refit(cases, calibration=Calibration(), thresholds=THRESHOLDS) is None
    assert refit(Cases.of([]), calibration=Calibration(), thresholds=THRESHOLDS) is None


@pytest.mark.parametrize("results", [[], [result("a", "", "glioma")], overconfident(60)], ids=["none", "unread", "60"])
def test_a_report_is_made_of_whatever_there_is(results) -> None:
    content = build_report(
        results,
        model=MeasuredModel("compact", "0.1", "ab" * 32, Calibration(), THRESHOLDS, None),
        limits=Limits({"sensitivity": 0.9}, prevalence=0.1),
        circumstances=Circumstances(without_truth=1, after_answer=2, no_reference=3, lost=1),
        started=date(2026, 1, 2),
        closed=date(2026, 2, 3),
    )
    assert content["verdict"] in ("met", "not_met", "too_few")
    assert content["counts"]["with_truth"] == sum(bool(item.truth) for item in results)
    said = " ".join(content["not_known"])
    for words in (
        "1 case is not known",
        "agree with it more often",
        "too narrow",
        "Not measured: 1 case whose scan was deleted.",
    ):
        assert words in said
