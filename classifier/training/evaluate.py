"""Measure a packaged model under a data protocol, with everything a clinician should know before trusting it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.training import metrics
from classifier.training.cards import today
from classifier.training.controls import controls
from classifier.training.evaluation import Evaluation
from classifier.training.outputs import Progress, silent


def evaluate(
    folder: Path,
    *,
    data: Path | Sequence[Path],
    protocol: str,
    command: str,
    engine: str = "auto",
    exports: Path | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Any], Evaluation]:
    """Measure everything.

    Args:
        folder: `models/<name>`.
        data: Folders with manifests and images, see `read_data`.
        protocol: `official`, `purged` or `patient`.
        command: How the caller was called, for the record.
        engine: See `load_engine`.
        exports: See `load_engine`.
        cache: Folder that keeps the network's outputs.
        progress: Told how many images are done.

    Returns:
        The figures, rounded to four decimals, and the evaluation itself for the plots.
    """
    run = Evaluation(
        folder, data=data, protocol=protocol, engine=engine, exports=exports, cache=cache, progress=progress
    )
    figures = {
        "model": run.card.name,
        "version": run.card.version,
        "weights_sha256": run.card.weights.sha256,
        "protocol": protocol,
        "trained_under": run.card.details.get("training", {}).get("protocol", "unknown"),
        "date": today(),
        "command": command,
        "images": len(run.test),
        "groups": len(set(run.groups)),
        "skipped": [*run.images.skipped, *run.extra_images.skipped],
        "accuracy": run.accuracy(),
        "per_class": metrics.per_class(run.p, run.labels),
        "confusion": metrics.confusion(run.p, run.labels).tolist(),
        "probabilities": run.probabilities(),
        "abstention": run.abstention(),
        "possible": run.possible(),
        "parts": run.parts(),
        "shortcut": run.shortcut(),
        "controls": controls(run.split),
        "saliency": run.saliency(),
        "refusal": run.refusal(),
        "hospitals": run.hospitals(),
        "latency": run.latency(),
    }
    return rounded(figures), run


def rounded(content: Any, *, digits: int = 4) -> Any:
    """Return the same data with its floats rounded."""
    if isinstance(content, dict):
        return {key: rounded(value, digits=digits) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value, digits=digits) for value in content]
    return round(float(content), digits) if isinstance(content, float) else content
