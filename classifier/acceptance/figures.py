"""The figures of an acceptance report, with intervals resampled by patient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.acceptance.cases import UNKNOWN, Array, Cases
from classifier.acceptance.limits import BY_KEY, Limits, Verdict, verdict
from classifier.comparison.resampling import Resampling, interval
from classifier.findings import FINDING_LABELS, FINDINGS, READINGS
from classifier.inference.calibration import NOTUMOR
from classifier.inference.prevalence import predictive_values
from classifier.reading_agreement import wilson_interval
from classifier.training import metrics


@dataclass(frozen=True, slots=True)
class AcceptanceFigure:
    """One figure.

    Attributes:
        key: Its name in files and the API; that of its limit, if it has one.
        label: Its name for people.
        value: The figure; None if no case counts.
        low: Lower end of its 95% interval.
        high: Upper end.
        hits: Number of images that it counts; None for a figure that is not a share.
        images: Number of images that it is a share of.
        patients: Number of their patients.
    """

    key: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    hits: int | None
    images: int
    patients: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return {name: _rounded(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict against one limit."""

    key: str
    label: str
    bound: float
    figure: AcceptanceFigure
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        return {"key": self.key, "label": self.label, "bound": self.bound, "verdict": str(self.verdict)} | {
            name: _rounded(getattr(self.figure, name)) for name in ("value", "low", "high", "images", "patients")
        }


def figures_of(cases: Cases, *, prevalence: float | None) -> list[AcceptanceFigure]:
    """Return every figure of cases with known truth.

    Args:
        cases: At least one case; those without truth are left out.
        prevalence: Share of images with a tumor at the site; None leaves out the figures that need it.
    """
    cases = cases.take(cases.known)
    if not len(cases):
        return []
    draws = Resampling(cases.patients)
    found = [_share(cases, draws, *row) for row in _shares(cases)]
    by_key = {figure.key: figure for figure in found}
    found.append(_ece(cases, draws))
    if prevalence is not None:
        found += _at_prevalence(cases, draws, by_key["sensitivity"], by_key["specificity"], prevalence=prevalence)
    return found


def _shares(cases: Cases) -> Iterator[tuple[str, str, Array, Array]]:
    """Yield key, label, which images count, and which images they are counted among."""
    seen, everyone = ~cases.refused, np.ones(len(cases), bool)
    best = np.where(seen[:, None], np.nan_to_num(cases.p), 0.0).argmax(axis=1)
    named = seen & (cases.labels != UNKNOWN)
    answered = seen & ~cases.uncertain
    yield "accuracy", "Accuracy, most probable finding", best == cases.labels, named
    yield "answered_accuracy", "Accuracy where a finding is reported", cases.right, answered
    yield "sensitivity", "Sensitivity for a tumor", cases.called_tumor, seen & cases.tumor
    yield "specificity", "Specificity", ~cases.called_tumor, seen & ~cases.tumor
    missed = cases.answers == FINDINGS[NOTUMOR]
    yield "missed", "Tumors answered with “no tumor”", missed, cases.tumor
    for index, name in enumerate(FINDINGS):
        label = f"Recall of {FINDING_LABELS[name]}"
        yield f"recall_{name}", label, best == index, named & (cases.labels == index)
    yield "refused", "Images refused", cases.refused, everyone
    yield "uncertain", "Images without a finding", cases.uncertain, everyone


def _share(cases: Cases, draws: Resampling, key: str, label: str, hits: Array, among: Array) -> AcceptanceFigure:
    images, patients = int(among.sum()), len({cases.patients[i] for i in np.flatnonzero(among)})
    if not images:
        return AcceptanceFigure(key, label, None, None, None, 0, 0, 0)
    counted = int((hits & among).sum())
    value = counted / images
    low, high = interval(draws.mean(hits.astype(float), among)) or (value, value)
    # Resampling sees no chance where all patients agree. The score interval of as many patients does.
    wide_low, wide_high = _wilson(value, patients)
    return AcceptanceFigure(key, label, value, min(low, wide_low), max(high, wide_high), counted, images, patients)


def _wilson(share: float, patients: int) -> tuple[float, float]:
    if share in (0.0, 1.0):
        return wilson_interval(int(share) * patients, patients)
    # The formula holds for a share that no whole number of patients gives.
    return wilson_interval(share * patients, patients)  # type: ignore[arg-type]


def _ece(cases: Cases, draws: Resampling) -> AcceptanceFigure:
    keep = ~cases.refused & (cases.labels != UNKNOWN)
    label = "Expected calibration error"
    if not keep.any():
        return AcceptanceFigure("ece", label, None, None, None, None, 0, 0)
    p, labels, owners = cases.p[keep], cases.labels[keep], draws.index[keep]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    bins = np.minimum((confidence * metrics.ECE_BINS).astype(int), metrics.ECE_BINS - 1)
    gaps = np.zeros((draws.groups, metrics.ECE_BINS))
    np.add.at(gaps, (owners, bins), confidence - right)
    sizes = draws.counts @ np.bincount(owners, minlength=draws.groups)
    drawn = np.divide(np.abs(draws.counts @ gaps).sum(axis=1), sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
    value = metrics.ece(p, labels)
    patients = len(set(owners.tolist()))
    # Draws of a single patient are all alike. They say nothing about another one.
    low, high = (interval(drawn) or (0.0, 1.0)) if patients > 1 else (0.0, 1.0)
    return AcceptanceFigure("ece", label, value, min(low, value), max(high, value), None, int(keep.sum()), patients)


def _at_prevalence(
    cases: Cases, draws: Resampling, found: AcceptanceFigure, clear: AcceptanceFigure, *, prevalence: float
) -> list[AcceptanceFigure]:
    """Return false-omission and false-discovery rate (Bayes), from sensitivity, specificity, and their intervals."""
    labels = {
        "false_omission": "False-omission rate at the site's prevalence",
        "false_discovery": "False-discovery rate at the site's prevalence",
    }
    if found.value is None or clear.value is None:
        return [AcceptanceFigure(key, label, None, None, None, None, 0, 0) for key, label in labels.items()]
    seen = ~cases.refused
    sensitivities = draws.mean(cases.called_tumor.astype(float), seen & cases.tumor)
    specificities = draws.mean((~cases.called_tumor).astype(float), seen & ~cases.tumor)
    value = predictive_values(sensitivity=found.value, specificity=clear.value, prevalence=prevalence)
    bounds: dict[str, list[float]] = {key: [value[key]] for key in labels}
    for sensitivity, specificity in _corners(found, clear):
        rates = predictive_values(sensitivity=sensitivity, specificity=specificity, prevalence=prevalence)
        for key in labels:
            bounds[key].append(rates[key])
    for key in labels:
        known = ~np.isnan(sensitivities) & ~np.isnan(specificities)
        rates_drawn = [
            predictive_values(sensitivity=float(a), specificity=float(b), prevalence=prevalence)[key]
            for a, b in zip(sensitivities[known], specificities[known], strict=True)
        ]
        bounds[key] += list(interval(np.array(rates_drawn)) or ())
    images, patients = found.images + clear.images, len({cases.patients[i] for i in np.flatnonzero(seen)})
    return [
        AcceptanceFigure(key, label, value[key], min(bounds[key]), max(bounds[key]), None, images, patients)
        for key, label in labels.items()
    ]


def _corners(found: AcceptanceFigure, clear: AcceptanceFigure) -> Iterator[tuple[float, float]]:
    """Yield each end of one interval with the value of the other."""
    assert found.value is not None
    assert clear.value is not None
    for end in (found.low, found.high):
        yield float(end or 0.0), clear.value
    for end in (clear.low, clear.high):
        yield found.value, float(end or 0.0)


def judge(figures: list[AcceptanceFigure], limits: Limits, *, cases: int) -> list[Judged]:
    """Return the verdict against each limit, in the order of `LIMITS`.

    Args:
        figures: From `figures_of`.
        limits: What the site set beforehand.
        cases: Number of analyzed cases with known truth.
    """
    by_key = {figure.key: figure for figure in figures}
    judged = []
    for key, limit in BY_KEY.items():
        if key not in limits.shares:
            continue
        figure = by_key.get(key) or AcceptanceFigure(key, limit.label, None, None, None, None, 0, 0)
        result = verdict(
            limit,
            bound=limits.shares[key],
            low=figure.low,
            high=figure.high,
            enough=cases >= limits.least_cases,
        )
        judged.append(Judged(key, limit.label, limits.shares[key], figure, result))
    return judged


def overall(judged: list[Judged]) -> Verdict:
    """Return not met if one limit is not met, met if all are, else too few cases."""
    found = {row.verdict for row in judged}
    if Verdict.NOT_MET in found:
        return Verdict.NOT_MET
    return Verdict.MET if found == {Verdict.MET} else Verdict.TOO_FEW


def confusion(cases: Cases) -> dict[str, dict[str, int]]:
    """Count the answers for each truth. Truths and answers that do not occur are left out."""
    cases = cases.take(cases.known)
    answers = sorted(set(cases.answers.tolist()))
    table: dict[str, dict[str, int]] = {}
    for truth in READINGS:
        own = cases.truths == truth
        if own.any():
            table[truth] = {str(name): int((cases.answers[own] == name).sum()) for name in answers}
    return table


def reliability(cases: Cases) -> list[dict[str, float]]:
    """Return confidence against accuracy in bins; empty if no case counts."""
    keep = cases.known & ~cases.refused & (cases.labels != UNKNOWN)
    if not keep.any():
        return []
    table = metrics.reliability(cases.p[keep], cases.labels[keep], bins=10)
    return [{name: _rounded(value) for name, value in row.items()} for row in table]


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
