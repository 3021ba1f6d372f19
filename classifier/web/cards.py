"""The measured figures of a model card, as rows for display."""

from dataclasses import dataclass
from typing import Any

from classifier.findings import FINDINGS
from classifier.inference.prevalence import predictive_values
from classifier.inference.registry import ModelCard
from classifier.selectors.model_figures import finding_counts, reliability
from classifier.wording import interval, percent, with_interval

# Key in the card → label on the page.
SHARES = {
    "accuracy": "Accuracy",
    "selective_accuracy": "Accuracy where a finding is reported",
    "coverage": "Images with a reported finding",
    "brain_mri_refused": "Brain MR images wrongly refused",
}
OF_OTHER_SCANNERS = "other_scanner_tumor_sensitivity"
"""An evaluation with this figure also counted the refused images among the tumors of other scanners."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one evaluation.

    Attributes:
        protocol: The protocol, which says how training and test images were separated.
        on: The images that were evaluated.
        images: Their number; 0 if the card does not say.
        date: The date of the evaluation.
        figures: Labels and values for display.
    """

    protocol: str
    on: str
    images: int
    date: str
    figures: tuple[tuple[str, str], ...]


def measurements(card: ModelCard) -> list[Measurement]:
    """Return the measurements of the card in its order, without those that have no figure to display."""
    rows = (_measurement(entry) for entry in card.metrics)
    return [row for row in rows if row.figures]


def newest_measurement(card: ModelCard) -> list[Measurement]:
    """Return the last measurement of the card alone, because later entries replace earlier ones; empty without any."""
    return measurements(card)[-1:]


def finding_rows(card: ModelCard) -> list[dict[str, Any]]:
    """Return the counts of each finding, its sensitivity and specificity, and its row of the confusion matrix."""
    rows = []
    for row in finding_counts(card):
        images, others = row["images"], row["others"]
        cells = [
            {"count": count, "shade": round(10 * count / max(1, images)), "right": name == row["finding"]}
            for name, count in zip(FINDINGS, row["called"], strict=True)
        ]
        shares = {
            "sensitivity": _share(row["found"] / images) if images else "",
            "specificity": _share(1 - row["alarms"] / others) if others else "",
            "missed": round(100 * (1 - row["found"] / images)) if images else None,
        }
        rows.append(row | shares | {"cells": cells})
    return rows


def reliability_chart(card: ModelCard) -> dict[str, Any] | None:
    """Return the reliability diagram of a model, as points of a chart and as rows of a table; None if not measured."""
    groups = reliability(card)
    if not groups:
        return None
    points = [[group["confidence"], group["accuracy"]] for group in groups]
    rows = [(percent(group["confidence"]), percent(group["accuracy"]), group["images"]) for group in groups]
    return {"element": f"reliability-{card.name}", "data": [{"name": card.name, "points": points}], "rows": rows}


def _measurement(entry: dict[str, Any]) -> Measurement:
    figures = []
    for key, label in SHARES.items():
        if isinstance(value := entry.get(key), int | float):
            if key == "brain_mri_refused" and entry.get(OF_OTHER_SCANNERS) is not None:
                label = f"{label}, tumors of other scanners included"
            figures.append((label, _share(value) + _interval(entry, key)))
    if isinstance(error := entry.get("ece"), int | float):
        # A mean distance, with three decimals as on the page of the model.
        figures.append(("Expected calibration error", f"{error:.3f}"))
    return Measurement(
        protocol=str(entry.get("protocol", "")),
        on=str(entry.get("on", "")),
        images=int(entry.get("images", 0)),
        date=str(entry.get("date", "")),
        figures=tuple(figures),
    )


def _share(value: float) -> str:
    """Return a percentage with one decimal, because the test sets are too small for more."""
    return percent(value, digits=1)


def _interval(entry: dict[str, Any], key: str) -> str:
    low, high = entry.get(f"{key}_low"), entry.get(f"{key}_high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    return f" (95% CI {interval(low, high, digits=1)})"


DEFAULT_PREVALENCE = 10
"""Default prevalence: percentage of images with a tumor."""


@dataclass(frozen=True, slots=True)
class HospitalFigures:
    """Figures of a model on images of hospitals that it was not trained on.

    Attributes:
        images: Number of images.
        patients: Number of patients.
        areas: For each set and sequence: name, images, area within patients with its interval, share refused.
        healthy: For each set without a tumor: name, images, share called a tumor, share refused.
        counterfactual: The result of the counterfactual check, as a sentence; "" without one.
        sensitivity: Share of tumors that are called a tumor.
        specificity: Share of other images that are not called a tumor.
        missed: Of 100 images with a tumor, the number answered with "no tumor seen".
        alarms: Of 100 images without a tumor, the number called a tumor.
        prevalence: Percentage of images with a tumor, for the next two figures.
        false_omission: Share of images with a tumor among those not called a tumor.
        false_discovery: Share of images without a tumor among those called a tumor.
    """

    images: int
    patients: int
    areas: tuple[tuple[str, int, str, str], ...]
    healthy: tuple[tuple[str, int, str, str], ...]
    counterfactual: str
    sensitivity: str
    specificity: str
    missed: int
    alarms: int
    prevalence: int
    false_omission: str
    false_discovery: str


def hospital_figures(card: ModelCard, prevalence: int = DEFAULT_PREVALENCE) -> HospitalFigures | None:
    """Return the card's figures on other hospitals; None if none were measured.

    Args:
        card: The model's card.
        prevalence: Percentage of images with a tumor, 1 to 99.
    """
    entry = next((entry["hospitals"] for entry in card.metrics if entry.get("hospitals")), None)
    if entry is None:
        return None
    every, erased = entry["all"], entry["erased"]
    values = predictive_values(
        sensitivity=every["sensitivity"], specificity=every["specificity"], prevalence=prevalence / 100
    )
    counterfactual = (
        f"In {erased['pairs']} slices that the network had never seen, the tumor was digitally removed. "
        f"The network calls {_share(erased['original_called_tumor'])} of the original slices a tumor, and "
        f"{_share(erased['still_called_tumor'])} of the slices without their tumor."
        if erased
        else ""
    )
    return HospitalFigures(
        images=every["images"],
        patients=every["patients"],
        areas=tuple(
            (f"{row['set']}, {row['sequence']}", row["images"], _area(row), _share(row["refused"]))
            for row in entry["sets"]
        ),
        healthy=tuple(
            (_healthy_name(row), row["images"], _share(row["called_tumor"]), _share(row["refused"]))
            for row in entry["without_tumor"]
        ),
        counterfactual=counterfactual,
        sensitivity=_share(every["sensitivity"]),
        specificity=_share(every["specificity"]),
        missed=round(100 * every["said_no_tumor_of_tumors"]),
        alarms=round(100 * (1 - every["specificity"])),
        prevalence=prevalence,
        false_omission=_share(values["false_omission"]),
        false_discovery=_share(values["false_discovery"]),
    )


def _area(row: dict[str, Any]) -> str:
    return with_interval(row["area_within"], row["area_within_low"], row["area_within_high"], digits=2, is_share=False)


def _healthy_name(row: dict[str, Any]) -> str:
    kind = "other disease" if row["label"] == "other_disease" else "healthy"
    return f"{row['set']}, {kind}" + (", skull stripped" if row["stripped"] else "")
