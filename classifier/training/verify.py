"""The release gate: a card must say what its weights do when the shipped program runs them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.analyzer import Analyzer
from classifier.inference.registry import ModelError
from classifier.intake import read_image
from classifier.training.images import read_source
from classifier.training.page import EVALUATIONS
from classifier.training.predictions import NOT_SHIPPED, SAMPLE, Prediction, figures_of, read_predictions

ROUNDING = 2e-4
"""Figures are written with four decimals, probabilities with five."""

LARGEST_DIFFERENCE = 0.03
"""Engines round differently; a probability may move by this much between machines."""

MOST_DIFFERENT = 0.02
"""Share of the images whose likeliest finding may change by it."""

SEED = 0


def verify_model(
    folder: Path,
    *,
    samples: Path,
    data: Sequence[Path] = (),
    limit: int = 64,
    engine: str = "auto",
    exports: Path | None = None,
) -> list[str]:
    """Check a model folder.

    Three things must hold: every file has the digest that the card states; every figure that the card quotes follows
    from the stored predictions; and the program, run on the bundled samples and on `limit` images of the data folders,
    predicts what is stored.

    Args:
        folder: `models/<name>`.
        samples: Folder of the bundled sample images.
        data: Data folders with images that the model was measured on; may be empty.
        limit: How many of their images to run.
        engine: See `load_engine`.
        exports: See `load_engine`.

    Returns:
        One sentence for each check that passed.

    Raises:
        ModelError: On the first check that fails.
    """
    analyzer = Analyzer.from_folder(folder, engine=engine, exports=exports)
    passed = [f"The files of {analyzer.card.name} {analyzer.card.version} have the digests that its card states."]
    # Weights that are not shipped cannot be run.
    paths = [path for path in sorted((folder / EVALUATIONS).glob("*.csv")) if not _is_other_run(path)]
    if not paths:
        raise ModelError(f"{folder / EVALUATIONS} holds no predictions. Run `manage.py evaluate --record` first.")
    for path in paths:
        predictions = read_predictions(path)
        passed.append(_check_figures(folder, path, predictions))
        kept = [item for item in predictions if item.part == SAMPLE]
        passed += _check_runs(analyzer, kept, _read_samples(samples, kept), what="bundled samples")
        others = [item for item in predictions if item.part != SAMPLE]
        found = [(item, image) for item in others if (image := _find(item, data)) is not None]
        if found:
            chosen = np.random.default_rng(SEED).permutation(len(found))[:limit]
            subset = [found[index] for index in sorted(chosen)]
            pixels = (read_source(image, mirrored=item.mirrored) for item, image in subset)
            passed += _check_runs(analyzer, [item for item, _ in subset], pixels, what=f"images of {path.name}")
    return passed


def _is_other_run(predictions: Path) -> bool:
    figures = predictions.with_suffix(".json")
    return figures.is_file() and json.loads(figures.read_text(encoding="utf-8")).get("weights") == NOT_SHIPPED


def _check_figures(folder: Path, path: Path, predictions: list[Prediction]) -> str:
    """Compare the figures of an evaluation and of the card with the predictions."""
    computed = figures_of(predictions)
    name = f"{EVALUATIONS}/{path.stem}.json"
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    entry = next((entry for entry in card.get("metrics", ()) if entry.get("source") == name), None)
    if entry is None:
        raise ModelError(f"The card quotes no figures of {name}. Run `manage.py evaluate --record` again.")
    stated = dict(entry)
    if hospitals := entry.get("hospitals"):
        stated["hospitals"] = hospitals["all"] | {
            "still_called_tumor": hospitals["erased"].get("still_called_tumor"),
        }
    count = _compare(computed, stated, where=f"{folder.name}, {name}")
    return f"{count} figures of {name} follow from {len(predictions)} stored predictions."


def _compare(computed: dict[str, Any], stated: dict[str, Any], *, where: str) -> int:
    count = 0
    for key, value in computed.items():
        if isinstance(value, dict):
            count += _compare(value, stated.get(key, {}), where=f"{where}, {key}")
            continue
        said = stated.get(key)
        if value is None and said is None:
            continue
        if said is None or value is None or abs(said - value) > ROUNDING:
            raise ModelError(
                f"{where}: the card states {key} {said}, but the predictions give {value:.4f}. "
                "Run `manage.py evaluate --record` again."
            )
        count += 1
    return count


def _check_runs(analyzer: Analyzer, items: list[Prediction], images: Any, *, what: str) -> list[str]:
    """Run the program on images and compare with the stored predictions."""
    if not items:
        return []
    changed, largest = 0, 0.0
    for item, pixels in zip(items, images, strict=True):
        model_output = analyzer.forward(analyzer.prepare([pixels]))
        p = analyzer.card.calibration.probabilities(model_output.output.logits)[0]
        difference = float(np.abs(p - item.probabilities).max())
        largest = max(largest, difference)
        changed += int(p.argmax()) != int(np.argmax(item.probabilities))
        if difference > LARGEST_DIFFERENCE:
            raise ModelError(
                f"{analyzer.card.name}: {item.file} gives other probabilities than stored, by {difference:.3f}. "
                "The weights, the program and the card do not belong together."
            )
    if changed > MOST_DIFFERENT * len(items):
        raise ModelError(
            f"{analyzer.card.name}: the likeliest finding of {changed} of {len(items)} {what} has changed."
        )
    return [f"{len(items)} {what} give the stored probabilities; the largest difference is {largest:.4f}."]


def _read_samples(folder: Path, items: list[Prediction]) -> Iterator[Any]:
    for item in items:
        with (folder / item.file).open("rb") as stream:
            yield read_image(stream).pixels


def _find(item: Prediction, folders: Sequence[Path]) -> Path | None:
    return next((path for folder in folders if (path := folder / item.file).is_file()), None)
