"""Refit calibration and thresholds of a model on the cases of a site."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.acceptance.cases import UNKNOWN, Array, Cases
from classifier.findings import FINDINGS, OTHER_DISEASE
from classifier.inference.calibration import NOTUMOR, Calibration
from classifier.inference.decision import answer
from classifier.inference.registry import Thresholds
from classifier.training import metrics
from classifier.training.fitting import fit_calibration, fit_possible, fit_thresholds
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs

FOLDS = 5
LEAST_PATIENTS = 20
"""Of either side, with and without a tumor: fewer would let a handful of patients set the thresholds."""


@dataclass(frozen=True, slots=True)
class SiteFit:
    """Calibration and thresholds of a site, with what they change.

    Attributes:
        calibration: `temperature`, `tumor_slope`, `tumor_offset`; see `Calibration`.
        thresholds: `finding`, `notumor`, `tumor`; see `Thresholds`.
        possible: For each finding, the smallest probability at which it remains possible.
        before: Figures with the card's calibration.
        after: The same figures with a calibration that was fitted on other patients: each fifth of the patients with
            what the other four gave.
        cases: Number of cases that it was fitted on.
        patients: Number of their patients.
    """

    calibration: dict[str, float]
    thresholds: dict[str, float]
    possible: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]
    cases: int
    patients: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def refit(cases: Cases, *, calibration: Calibration, thresholds: Thresholds) -> SiteFit | None:
    """Fit a calibration and thresholds on the cases of a site.

    Args:
        cases: Analyzed cases. Those without truth, refused ones, and other diseases are left out.
        calibration: The card's, for comparison.
        thresholds: The card's, for comparison.

    Returns:
        The fit; None with fewer than `LEAST_PATIENTS` patients with or without a tumor.
    """
    keep = cases.known & ~np.isnan(cases.logits).any(axis=1) & (cases.truths != OTHER_DISEASE)
    cases = cases.take(keep)
    tumor = cases.tumor
    sides = [{cases.patients[i] for i in np.flatnonzero(side)} for side in (tumor, ~tumor)]
    if min(len(side) for side in sides) < LEAST_PATIENTS:
        return None
    folds = np.array([_fold(patient) for patient in cases.patients])
    crossed = np.zeros((len(cases), len(FINDINGS)), np.float32)
    answers = np.empty(len(cases), object)
    for fold in range(FOLDS):
        own = folds == fold
        if not own.any():
            continue
        fitted, limits, _ = _fit(cases.take(~own))
        crossed[own] = fitted.probabilities(cases.logits[own])
        answers[own] = [answer(row, limits) for row in crossed[own]]
    plain = calibration.probabilities(cases.logits)
    fitted, limits, possible = _fit(cases)
    return SiteFit(
        calibration={
            "temperature": fitted.temperature,
            "tumor_slope": fitted.tumor_slope,
            "tumor_offset": fitted.tumor_offset,
        },
        thresholds={"finding": limits.finding, "notumor": limits.notumor, "tumor": float(limits.tumor or 1.0)},
        possible=possible,
        before=_figures(cases, plain, np.array([answer(row, thresholds) for row in plain], object)),
        after=_figures(cases, crossed, answers),
        cases=len(cases),
        patients=len(set(cases.patients)),
    )


def _fold(patient: str) -> int:
    """Return the fold of a patient, by a digest: it does not depend on the other patients."""
    return int(hashlib.sha256(patient.encode()).hexdigest(), 16) % FOLDS


def _fit(cases: Cases) -> tuple[Calibration, Thresholds, dict[str, float]]:
    outputs = _outputs(cases)
    calibration = Calibration(**fit_calibration(outputs, official=False))
    section = fit_thresholds(outputs, calibration=calibration, official=False)
    possible = fit_possible(outputs, calibration=calibration, official=False)["thresholds"]
    limits = Thresholds(section["threshold"], notumor=section["notumor_threshold"], tumor=section["tumor_threshold"])
    return calibration, limits, {name: float(value) for name, value in possible.items()}


def _outputs(cases: Cases) -> Outputs:
    """Return the cases in the form that fitting takes. It reads labels, groups, and logits alone."""
    rows = tuple(
        Row("", "", False, truth, truth, "", "site", patient, patient, 0)
        for truth, patient in zip(cases.truths, cases.patients, strict=True)
    )
    nothing = np.zeros((len(cases), 0), np.float32)
    maps = np.zeros((len(cases), 0, 0, len(FINDINGS)), np.float16)
    return Outputs(rows, cases.logits.astype(np.float32), nothing, maps, nothing)


def _figures(cases: Cases, p: Array, answers: Array) -> dict[str, float]:
    """Return calibration, coverage, and selective accuracy of probabilities and answers."""
    named = cases.labels != UNKNOWN
    given = answers != None  # noqa: E711 - an array of objects
    judged = Cases(cases.patients, cases.truths, np.where(given, answers, "uncertain"), p, cases.logits)
    tumor = cases.tumor
    figures = {
        "ece": metrics.ece(p[named], cases.labels[named]),
        "nll": metrics.nll(p[named], cases.labels[named]),
        "accuracy": metrics.accuracy(p[named], cases.labels[named]),
        "coverage": float(given.mean()),
        "answered_accuracy": float(judged.right[given].mean()) if given.any() else 0.0,
        "missed": float((answers[tumor] == FINDINGS[NOTUMOR]).mean()),
    }
    return {key: round(value, 4) for key, value in figures.items()}
