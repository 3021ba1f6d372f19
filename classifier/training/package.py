"""Make a model folder from a finished run: weights, card, and the run's own record."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.inference.architectures import find_architecture
from classifier.inference.registry import ModelError
from classifier.training.cards import CALIBRATION_NAME, new_card, read_card, write_json
from classifier.training.network_cost import network_cost
from classifier.training.page import EVALUATIONS, write_page
from classifier.training.plots import plot_curve
from classifier.training.predictions import NOT_SHIPPED

TEXTS = ("title", "licence", "attribution", "intended_use", "not_for", "weaknesses")
"""Sections of a card that people write; a new version copies them from the old one."""

RECORD_FOLDER = "training"


def package_run(
    run: Path,
    *,
    folder: Path,
    version: str,
    like: Path,
    earlier: Sequence[Path] = (),
    weights: str = "final.weights.h5",
    size: int | None = None,
    texts: Path | None = None,
) -> Path:
    """Package a run. The model is not calibrated yet.

    Args:
        run: Folder of a finished run.
        folder: `models/<name>`, made or written over.
        version: Version of the model.
        like: Model folder whose texts are copied.
        earlier: Folders of the runs whose weights this one went on from, in order; their records are kept too.
        weights: Which weights of the run.
        size: Side of the network's input in pixels; by default that of the run's last stage.
        texts: JSON file with some of `TEXTS`, which replace those of `like`.

    Returns:
        The path of the card.

    Raises:
        ModelError: If the run is not finished.
        ValueError: If the texts have other sections.
    """
    record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if "finished" not in record or not (run / weights).is_file():
        raise ModelError(f"{run} is not a finished run. Run the same `manage.py train` again to finish it.")
    old = read_card(like)
    sections = {name: old[name] for name in TEXTS if name in old}
    if texts is not None:
        sections |= json.loads(texts.read_text(encoding="utf-8"))
        if unknown := set(sections) - set(TEXTS):
            raise ValueError(f"A card's texts are {', '.join(TEXTS)}. Received: {', '.join(sorted(unknown))}")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_figures(folder)
    (folder / CALIBRATION_NAME).unlink(missing_ok=True)
    target = f"{record['network']}.weights.h5"
    shutil.copyfile(run / weights, folder / target)
    records = [json.loads((path / "run.json").read_text(encoding="utf-8")) for path in earlier]
    if not records and record.get("initial_weights") == old["weights"]["sha256"]:
        # The run went on from the weights of that model, so its history is part of this one's.
        records = json.loads((like / RECORD_FOLDER / "runs.json").read_text(encoding="utf-8"))
    records.append(record)
    training = describe_training(records)
    side = size or int(record["config"]["stages"][-1][0])
    path = new_card(
        folder,
        network=record["network"],
        version=version,
        weights=target,
        texts=sections | {"training": training, "architecture": network_cost(record["network"], size=side)},
        preprocessing=find_architecture(record["network"]).preprocessing(size=side),
    )
    write_json(folder / RECORD_FOLDER / "runs.json", records)
    plot_curve(folder / RECORD_FOLDER / "curve.png", curve=record["curve"])
    write_page(folder)
    return path


def _remove_figures(folder: Path) -> None:
    """Remove the figures of the earlier weights, which must not stand beside the new ones.

    Those of runs that are not shipped stay: they are marked as such, and nothing could measure them again.
    """
    for path in (folder / EVALUATIONS).glob("*.json"):
        if json.loads(path.read_text(encoding="utf-8")).get("weights") != NOT_SHIPPED:
            path.unlink()
            path.with_suffix(".csv").unlink(missing_ok=True)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    if (folder / EVALUATIONS).is_dir() and not any((folder / EVALUATIONS).iterdir()):
        (folder / EVALUATIONS).rmdir()


def describe_training(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the training section of a card, from the records of one or more runs in order.

    Raises:
        ModelError: If the runs are of different protocols, so that no one protocol describes the weights.
    """
    record = records[-1]
    if len({(entry["protocol"], entry["test_fold"]) for entry in records}) != 1:
        raise ModelError("The runs were trained under different protocols. Package runs of one protocol.")
    images = record["images"]
    fold = f", fold {record['test_fold']} never seen" if record["test_fold"] is not None else ""
    return {
        "protocol": record["protocol"],
        "data": (
            f"{images['train']} images{fold}, {record['partial_labels']} of them tumors of unknown kind; "
            f"{images['validation']} more for validation"
        ),
        **_origins(record),
        "recipe": "; then ".join(describe_config(entry) for entry in records),
        "record": f"{RECORD_FOLDER}/runs.json",
    }


def _origins(record: dict[str, Any]) -> dict[str, str]:
    """Return where the images came from, as far as the record says: sources, licenses and digests of the manifests."""
    sources = ", ".join(f"{name} ({count})" for name, count in record.get("sources", {}).items())
    manifests = ", ".join(f"{name} {digest[:12]}" for name, digest in record["manifests"].items())
    origins = {"sources": sources, "licenses of other hospitals": "; ".join(record.get("licences", ()))}
    return {name: text for name, text in origins.items() if text} | {"manifests (sha256)": manifests}


def describe_config(record: dict[str, Any]) -> str:
    """Return one run in a sentence's length; records before 2.0 call the configuration a plan."""
    config = record.get("config") or record["plan"]
    stages = ", ".join(f"{epochs} at {side} pixels" for side, epochs in config["stages"])
    stopped = f" (stopped after {record['steps']} steps)" if "finished" not in record else ""
    return (
        f"epochs: {stages}{stopped}, AdamW {config['learning_rate']:g}, batches of {config['batch_size']}, "
        f"{config['freeze']} frozen blocks, weight decay {config['weight_decay']:g}, "
        f"moving average of the weights {config.get('ema', config.get('average', 0)):g}, "
        f"label smoothing {config['smoothing']:g}, {config.get('augmentation', 'full')} augmentation, "
        f"weight of the location loss {config['location']:g}, of the lesion loss {config.get('lesion', 0):g}, "
        f"seed {config['seed']}"
    )
