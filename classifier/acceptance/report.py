"""The content of an acceptance report: counts and figures alone, no patient, no scan, no name of the site."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from classifier.acceptance import figures
from classifier.acceptance.cases import CaseResult, Cases
from classifier.acceptance.limits import Limits
from classifier.acceptance.refit import LEAST_PATIENTS, SiteFit, refit
from classifier.comparison.drift import shifts
from classifier.findings import FINDING_LABELS, FINDINGS, OTHER_DISEASE
from classifier.inference.appearance import FEATURES
from classifier.inference.calibration import Calibration
from classifier.inference.ood import Statistics
from classifier.inference.registry import Thresholds

KIND, FORMAT = "brainscan-acceptance", 1
FEW_PATIENTS = 10
"""With fewer patients of a finding, its recall says next to nothing."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The facts in a report about its cases besides their answers. All are numbers of cases.

    Attributes:
        without_truth: Truth unknown at closing.
        failed: The analysis failed.
        other_version: Analyzed by another version than the one that is commissioned.
        withheld: The input check withholds the answer, as in routine use.
        moved: The scan was moved out of the team.
        lost: The scan was deleted.
        removed: Removed by an owner.
        contradicted: The CSV file says something else than a confirmed diagnosis, which counts.
        by_diagnosis: Truth from a confirmed diagnosis.
        by_file: Truth from a CSV file.
        by_review: Truth from a review.
        after_answer: Of the reviews, those of a visible answer of the same version.
        no_reference: Scans without a patient reference.
    """

    without_truth: int = 0
    failed: int = 0
    other_version: int = 0
    withheld: int = 0
    moved: int = 0
    lost: int = 0
    removed: int = 0
    contradicted: int = 0
    by_diagnosis: int = 0
    by_file: int = 0
    by_review: int = 0
    after_answer: int = 0
    no_reference: int = 0


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """The version that was measured, with what its card says.

    Attributes:
        name: Name of the model.
        version: Its version.
        weights_sha256: Digest of its weights.
        calibration: The card's; None if the version is no longer installed.
        thresholds: The card's.
        statistics: Of its training images; None if they are not installed.
    """

    name: str
    version: str
    weights_sha256: str
    calibration: Calibration | None
    thresholds: Thresholds | None
    statistics: Statistics | None


def build_report(
    results: Sequence[CaseResult],
    *,
    model: MeasuredModel,
    limits: Limits,
    circumstances: Circumstances,
    started: date,
    closed: date,
) -> dict[str, Any]:
    """Return the content of an acceptance report as JSON values.

    Args:
        results: The analyzed cases, also those without truth.
        model: The version that was measured.
        limits: What the site set beforehand.
        circumstances: What else is known of the cases.
        started: Day of the start.
        closed: Day of the closing.
    """
    cases = Cases.of(results)
    known = cases.take(cases.known)
    found = figures.figures_of(cases, prevalence=limits.prevalence)
    judged = figures.judge(found, limits, cases=len(known))
    fit = None
    if model.calibration is not None and model.thresholds is not None:
        fit = refit(cases, calibration=model.calibration, thresholds=model.thresholds)
    return {
        "kind": KIND,
        "format": FORMAT,
        "model": {"name": model.name, "version": model.version, "weights_sha256": model.weights_sha256},
        "started": started.isoformat(),
        "closed": closed.isoformat(),
        "verdict": str(figures.overall(judged)),
        "counts": {
            "analyzed": len(cases),
            "with_truth": len(known),
            "patients": len(set(known.patients)),
            "truths": dict(sorted(Counter(known.truths.tolist()).items())),
            **asdict(circumstances),
        },
        "limits": limits.as_dict(),
        "judged": [row.as_dict() for row in judged],
        "figures": [figure.as_dict() for figure in found],
        "confusion": figures.confusion(cases),
        "reliability": figures.reliability(cases),
        "site_calibration": None if fit is None else fit.as_dict(),
        "baseline": _baseline(results, model.statistics),
        "not_known": list(_not_known(known, circumstances, fit=fit, installed=model.calibration is not None)),
    }


def _baseline(results: Sequence[CaseResult], statistics: Statistics | None) -> dict[str, Any] | None:
    """Return mean and spread of each appearance statistic of the site's images, and its shift from training."""
    values = [item.appearance for item in results if item.appearance is not None]
    if not values:
        return None
    appearance = np.array(values, float)
    moved = {} if statistics is None else {row.feature: row for row in shifts(appearance, statistics)}
    means, spreads = appearance.mean(axis=0), appearance.std(axis=0)
    return {
        "images": len(values),
        "features": [
            {
                "feature": name,
                "mean": round(float(means[i]), 4),
                "spread": round(float(spreads[i]), 4),
                "training": round(moved[name].training, 4) if name in moved else None,
                "deviations": round(moved[name].deviations, 2) if name in moved else None,
            }
            for i, name in enumerate(FEATURES)
        ],
    }


def _not_known(known: Cases, about: Circumstances, *, fit: SiteFit | None, installed: bool) -> Sequence[str]:
    """Return what the report leaves open, one sentence each."""
    said = []
    if about.without_truth:
        said.append(
            f"The truth of {_cases(about.without_truth)} is not known, so no figure counts them. Cases on which "
            "models disagree are offered for review first; while some are unread, figures can be lower than those of "
            "all cases."
        )
    if about.after_answer:
        said.append(
            f"The truth of {_cases(about.after_answer)} is a review of an answer by the same version. Readers who know "
            "an answer agree with it more often, so figures can be too high."
        )
    few = [
        FINDING_LABELS[name]
        for name in FINDINGS
        if len({known.patients[i] for i in np.flatnonzero(known.truths == name)}) < FEW_PATIENTS
    ]
    if few:
        each = " each" if len(few) > 1 else ""
        said.append(
            f"There are fewer than {FEW_PATIENTS} patients{each} with {_listed(few)}. How well the model recognizes "
            "these is not known."
        )
    if about.no_reference:
        said.append(
            f"Without a patient reference: {_cases(about.no_reference)}, each counted as a patient. If several are of "
            "one patient, the intervals are too narrow."
        )
    diseases = int((known.truths == OTHER_DISEASE).sum())
    if diseases:
        said.append(
            f"With another disease: {_cases(diseases)}, counted as images without a tumor. The model knows no other "
            "disease."
        )
    else:
        said.append("No case shows another disease. How the model answers one is not known.")
    said.append(_of_calibration(fit, installed=installed))
    missing = [
        (about.lost, "whose scan was deleted"),
        (about.moved, "whose scan was moved out of the team"),
        (about.removed, "removed by an owner"),
        (about.failed, "whose analysis failed"),
        (about.other_version, "analyzed by another version"),
        (about.withheld, "whose answer the input check withholds, as in routine use"),
    ]
    if parts := [f"{_cases(number)} {reason}" for number, reason in missing if number]:
        said.append(f"Not measured: {_listed(parts)}.")
    said.append(
        "Scanners, sequences, and patients that the cases do not include are not covered, nor are later changes."
    )
    return said


def _of_calibration(fit: SiteFit | None, *, installed: bool) -> str:
    if fit is not None:
        return (
            "The site calibration is fitted on the same cases. Its figures are cross-fitted: each patient is measured "
            "with what other patients gave. How it does on later patients is not known."
        )
    if not installed:
        return "There is no site calibration: the version is no longer installed."
    return (
        f"There is no site calibration: it needs {LEAST_PATIENTS} patients with and {LEAST_PATIENTS} without a tumor "
        "whose image was not refused."
    )


def _cases(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"
