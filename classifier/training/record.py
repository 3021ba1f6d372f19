"""Keeps an evaluation beside the model that it measured: figures, plots, card entry and page."""

from pathlib import Path
from typing import Any

from classifier.training.cards import read_card, write_card, write_json
from classifier.training.evaluate import Evaluation
from classifier.training.page import EVALUATIONS, write_page
from classifier.training.plots import plot_evaluation


def record_evaluation(folder: Path, *, figures: dict[str, Any], run: Evaluation) -> Path:
    """Writes the figures of one protocol into a model folder.

    Args:
        folder: `models/<name>`.
        figures: From `evaluate`.
        run: The evaluation that gave them.

    Returns:
        The path of the JSON file; the plots lie in a folder of the same name.
    """
    protocol = figures["protocol"]
    path = write_json(folder / EVALUATIONS / f"{protocol}.json", figures)
    title = f"{figures['model']} {figures['version']}, protocol {protocol}"
    plot_evaluation(path.with_suffix(""), p=run.p, labels=run.labels, title=title)
    card = read_card(folder)
    source = f"{EVALUATIONS}/{protocol}.json"
    kept = [entry for entry in card.get("metrics", ()) if entry.get("source") != source]
    write_card(folder, card | {"metrics": [*kept, summary(figures) | {"source": source}]})
    write_page(folder)
    return path


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """The few figures that a card quotes."""
    accuracy = figures["accuracy"]
    other = figures["shortcut"].get("other_scanners", {})
    return {
        "images": figures["images"],
        "accuracy": accuracy["value"],
        "accuracy_low": accuracy["low"],
        "accuracy_high": accuracy["high"],
        "nll": figures["probabilities"]["nll"],
        "ece": figures["probabilities"]["ece"],
        "meningioma_recall": figures["per_class"]["meningioma"]["recall"],
        "coverage": figures["abstention"]["coverage"],
        "selective_accuracy": figures["abstention"]["accuracy"],
        "specificity": figures["shortcut"]["specificity"],
        "other_scanner_tumor_sensitivity": other.get("sensitivity"),
        "pointing_game": figures["saliency"].get("pointing_game"),
        "brain_mri_refused": figures["refusal"].get("brain_mri_refused"),
        "protocol": figures["protocol"],
        "on": "the test images of the protocol",
        "date": figures["date"],
        "command": figures["command"],
    }
