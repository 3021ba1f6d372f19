"""Store an evaluation with the model that it measured: figures, plots, card entry and page."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.registry import ModelError, load_card
from classifier.training.cards import read_card, write_card, write_json
from classifier.training.evaluation import Evaluation
from classifier.training.page import EVALUATIONS, write_page
from classifier.training.plots import plot_evaluation, plot_reliability_by_source
from classifier.training.predictions import NOT_SHIPPED, SAMPLE, write_predictions


def record_evaluation(folder: Path, *, figures: dict[str, Any], run: Evaluation, samples: Path | None = None) -> Path:
    """Write the figures and predictions of one protocol into a model folder.

    Args:
        folder: `models/<name>`.
        figures: From `evaluate`.
        run: The evaluation that gave them.
        samples: Folder of the bundled samples, whose predictions are kept too; None leaves them out.

    Returns:
        The path of the JSON file; the plots are in a folder of the same name.
    """
    protocol = figures["protocol"]
    path = write_json(folder / EVALUATIONS / f"{protocol}.json", figures)
    predictions = run.predictions(samples=samples)
    write_predictions(path.with_suffix(".csv"), predictions)
    title = f"{figures['model']} {figures['version']}, protocol {protocol}"
    plot_evaluation(path.with_suffix(""), p=run.p, labels=run.labels, title=title)
    measured = [item for item in predictions if item.part != SAMPLE]
    plot_reliability_by_source(
        path.with_suffix("") / "reliability-by-source.png",
        presence=np.array([item.tumor_probability for item in measured]),
        tumor=np.array([item.shows_tumor for item in measured]),
        sources=[item.source for item in measured],
    )
    card = read_card(folder)
    source = f"{EVALUATIONS}/{protocol}.json"
    kept = [entry for entry in card.get("metrics", ()) if entry.get("source") != source]
    write_card(folder, card | {"metrics": [*kept, summary(figures) | {"source": source}]})
    write_page(folder)
    return path


def record_beside(folder: Path, *, figures: dict[str, Any], run: Evaluation) -> Path:
    """Write the figures and predictions of a run whose weights are not shipped into the folder of another model.

    The card does not quote them, and the release gate does not run them: the weights are not there.

    Args:
        folder: `models/<name>` of the model that they are compared with.
        figures: From `evaluate`.
        run: The evaluation that gave them.

    Returns:
        The path of the JSON file; the predictions are beside it.
    """
    path = folder / EVALUATIONS / f"{figures['protocol']}.json"
    write_json(path, {"weights": NOT_SHIPPED} | figures)
    write_predictions(path.with_suffix(".csv"), run.predictions())
    write_page(folder)
    return path


def check_target(folder: Path, *, protocol: str, weights_sha256: str, beside: bool, replace: bool = False) -> None:
    """Refuse to overwrite figures that a later run could not give again.

    Args:
        folder: `models/<name>` that the figures are recorded in.
        protocol: The protocol of the evaluation.
        weights_sha256: Digest of the weights that are to be measured.
        beside: Whether they are those of a run that is not shipped, see `record_beside`.
        replace: Whether figures of another run that is not shipped may be overwritten.

    Raises:
        ModelError: If there is no such model, or its figures under the protocol are of other weights.
    """
    load_card(folder, verify=False)
    path = folder / EVALUATIONS / f"{protocol}.json"
    if not path.is_file():
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    if known.get("weights") != NOT_SHIPPED:
        if beside:
            raise ModelError(
                f"{path} holds the figures of {folder.name} itself; those of another run cannot replace them."
            )
    elif not replace and (not beside or known.get("weights_sha256") != weights_sha256):
        raise ModelError(
            f"{path} holds the figures of {known.get('model')} {known.get('version')}, whose weights are not shipped; "
            "only --replace overwrites them."
        )


SET_FIGURES = ("set", "sequence", "images", "patients", "tumors", "refused")
AREA_FIGURES = ("area", "area_within", "area_within_low", "area_within_high")
HEALTHY_FIGURES = ("set", "label", "stripped", "images", "called_tumor", "said_tumor", "refused")
ALL_FIGURES = (
    "images",
    "patients",
    "sensitivity",
    "specificity",
    "said_tumor_of_tumors",
    "said_no_tumor_of_tumors",
    "refused",
    "uncertain",
)


def hospital_summary(hospitals: dict[str, Any]) -> dict[str, Any]:
    """Return the few figures on other hospitals that a card quotes."""

    def chosen(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        return {name: row[name] for name in names}

    return {
        "sets": [chosen(row, SET_FIGURES + AREA_FIGURES) for row in hospitals["sets"]],
        "without_tumor": [chosen(row, HEALTHY_FIGURES) for row in hospitals["without_tumor"]],
        "all": chosen(hospitals["all"], ALL_FIGURES),
        "erased": {name: value for name, value in hospitals["erased"].items() if name != "probabilities"},
    }


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the few figures that a card quotes."""
    accuracy = figures["accuracy"]
    other = figures["shortcut"].get("other_scanners", {})
    hospitals = figures.get("hospitals")
    quoted = {"hospitals": hospital_summary(hospitals)} if hospitals else {}
    return quoted | {
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
