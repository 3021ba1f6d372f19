"""The figures of a model card in sentences: how often the model is right, and where it is not to be relied on."""

from collections.abc import Mapping
from typing import Any

from classifier.inference.registry import ModelCard
from classifier.wording import percent


def model_figures(card: ModelCard) -> list[dict[str, str]]:
    """Return what was measured, each as `{"on": …, "text": …}`: own patients first, then other hospitals.

    Args:
        card: the card of the version that ran.

    Returns:
        An empty list if the card has no figures.
    """
    figures = []
    own = _newest(card, "accuracy")
    if own is not None:
        figures.append({"on": f"Patients kept out of training (protocol {own['protocol']})", "text": _own(own)})
    elsewhere = _newest(card, "hospitals")
    if elsewhere is not None:
        figures.append({"on": "Other hospitals", "text": _elsewhere(elsewhere["hospitals"])})
        if elsewhere["hospitals"].get("erased"):
            figures.append({"on": "Tumor digitally removed", "text": _erased(elsewhere["hospitals"]["erased"])})
    return figures


def model_limits(card: ModelCard) -> list[str]:
    """Return the weaknesses and the excluded uses that the card names."""
    excluded = [f"Not for: {use[:1].lower()}{use[1:]}" for use in card.details.get("not_for", ())]
    return [*(f"{text.rstrip('.')}." for text in (*excluded, *card.details.get("weaknesses", ())))]


def _newest(card: ModelCard, key: str) -> dict[str, Any] | None:
    """Return the last measurement that has `key`: later entries of a card replace earlier ones."""
    return next((entry for entry in reversed(card.metrics) if entry.get(key)), None)


def _own(entry: Mapping[str, Any]) -> str:
    text = f"{entry.get('images', 0):,} images: {_share(entry['accuracy'])} of the most probable findings are right"
    if "accuracy_low" in entry and "accuracy_high" in entry:
        text += f" (95% CI {100 * entry['accuracy_low']:.1f} to {100 * entry['accuracy_high']:.1f}%)"
    text += "."
    if "coverage" in entry and "selective_accuracy" in entry:
        text += (
            f" A finding is reported for {_share(entry['coverage'])} of the images; "
            f"{_share(entry['selective_accuracy'])} of the reported findings are right."
        )
    return text


def _elsewhere(hospitals: Mapping[str, Any]) -> str:
    every = hospitals["all"]
    return (
        f"{every['images']:,} images of {every['patients']:,} people of hospitals not trained on: "
        f"sensitivity for a tumor {_share(every['sensitivity'])}, specificity {_share(every['specificity'])}. "
        f"For {_share(every['said_no_tumor_of_tumors'])} of the images with a tumor, the answer is “No tumor seen”."
    )


def _erased(erased: Mapping[str, Any]) -> str:
    return (
        f"In {erased['pairs']} slices the tumor was digitally removed. The network reports a tumor in "
        f"{_share(erased['original_called_tumor'])} of the original slices and in "
        f"{_share(erased['still_called_tumor'])} of the slices without their tumor."
    )


def _share(value: float) -> str:
    """Return a share with one decimal: test sets are too small for more."""
    return percent(value, digits=1)
