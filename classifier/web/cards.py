"""The measured figures of a model card, as rows for people."""

from dataclasses import dataclass
from typing import Any

from classifier.inference.registry import ModelCard

NBSP = "\N{NO-BREAK SPACE}"

# Key in the card → what people read. Shares are shown with one decimal: test sets are too small for more.
SHARES = {
    "accuracy": "Accuracy",
    "selective_accuracy": "Accuracy where it does not say “uncertain”",
    "coverage": "Images it does not call uncertain",
    "ece": "Expected calibration error",
    "brain_mri_refused": "Brain MR images wrongly refused",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one evaluation.

    Attributes:
        protocol: how training and test images were kept apart.
        on: which images were evaluated.
        images: how many; 0 where the card does not say.
        date: when.
        figures: label and value, ready to read.
    """

    protocol: str
    on: str
    images: int
    date: str
    figures: tuple[tuple[str, str], ...]


def measurements(card: ModelCard) -> list[Measurement]:
    """Return what the card says was measured, in its order; entries without a figure we know are left out."""
    rows = (_measurement(entry) for entry in card.metrics)
    return [row for row in rows if row.figures]


def _measurement(entry: dict[str, Any]) -> Measurement:
    figures = []
    for key, label in SHARES.items():
        if isinstance(value := entry.get(key), int | float):
            figures.append((label, share(value) + _interval(entry, key)))
    return Measurement(
        protocol=str(entry.get("protocol", "")),
        on=str(entry.get("on", "")),
        images=int(entry.get("images", 0)),
        date=str(entry.get("date", "")),
        figures=tuple(figures),
    )


def _interval(entry: dict[str, Any], key: str) -> str:
    low, high = entry.get(f"{key}_low"), entry.get(f"{key}_high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    return f" ({share(low)} to {share(high)})"


def share(value: float) -> str:
    """Return a share in [0, 1] as per cent with one decimal: "95.4 %"."""
    return f"{value * 100:.1f}{NBSP}%"
