"""Calibrate a packaged model: probabilities, thresholds, refusal, and the scale of the saliency map.

Everything is fitted on images that neither trained the network nor count in the figures reported here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.findings import FINDINGS, TUMORS
from classifier.inference.calibration import Calibration, probabilities
from classifier.inference.decision import answer
from classifier.inference.engines import load_engine
from classifier.inference.ood import LIMIT, OodDetector, Statistics
from classifier.inference.preprocessing import Float32Array, to_input
from classifier.inference.registry import Thresholds
from classifier.inference.saliency import contrast
from classifier.inference.second_look import RoundingEngine
from classifier.training import metrics
from classifier.training.cards import CALIBRATION_NAME, describe_file, read_card, today, write_card, write_json
from classifier.training.fitting import fit_calibration, fit_possible, fit_thresholds, source_weights, weighted_quantile
from classifier.training.hospitals import read_data
from classifier.training.images import load_images
from classifier.training.manifest import Row
from classifier.training.outputs import BATCH, Outputs, Progress, compute_outputs, silent
from classifier.training.pointing import box_mask
from classifier.training.protocols import Split, halves, make_split
from classifier.training.weights import sampling_weights

log = logging.getLogger(__name__)

REFUSED = 0.01
"""Share of real brain MR images that may be refused where the limits are fitted."""

SOURCE_REFUSED = 0.03
"""Largest share of any one source that may be: hospitals differ more than images of one do."""

AXES = 128
"""Directions in which the features of brain MR images usually vary; a residual outside of them counts as distance."""

ROUNDING_IMAGES = 256
ROUNDING_MARGIN = 4.0
"""Factor from the largest error that was measured to the bound that the card states: on thousands of images the
largest error was up to 3.9 times that of the few hundred that are measured here (decision 4)."""

STATISTICS_ROWS = 2400
STATISTICS_NAME = "ood.npz"


@dataclass(frozen=True, slots=True)
class Part:
    """Images for fitting, for reporting, and usual ones of training that others are compared with."""

    fit: tuple[Row, ...]
    report: tuple[Row, ...]
    usual: tuple[Row, ...]
    fitted_on: str
    reported_on: str


def choose_parts(split: Split, *, seed: int = 0) -> Part:
    """Choose images for fitting that are not those of the figures.

    Under `patient` the validation part of the training folds fits, and the test fold reports. Under the other
    protocols the test images fall into two group-disjoint halves, since there a published network may have
    trained on every training image.
    """
    rng = np.random.default_rng(seed)
    rows = min(STATISTICS_ROWS, len(split.train))
    chosen = rng.choice(len(split.train), rows, replace=False, p=sampling_weights(split.train))
    usual = tuple(split.train[index] for index in sorted(chosen))
    if split.protocol == "patient":
        return Part(split.validation, split.test, usual, "validation patients of all sources", "the test fold")
    first, second = halves(split.test)
    return Part(
        (*first, *(row for row in split.validation if row.use)),
        tuple(second),
        usual,
        "one group-disjoint half of the official test images, and validation patients of other hospitals",
        "the other half of the official test images",
    )


def calibrate(
    folder: Path,
    *,
    data: Path | Sequence[Path],
    protocol: str,
    command: str,
    engine: str = "auto",
    exports: Path | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Fit a model's card and measure the result.

    Args:
        folder: `models/<name>` with a card; rewritten, as are `calibration.json` and `ood.npz`.
        data: Folders with manifests and images, see `read_data`.
        protocol: The protocol that the network was trained under.
        command: How the caller was called, for the record.
        engine: See `load_engine`.
        exports: See `load_engine`.
        cache: Folder that keeps the network's outputs.
        progress: Told how many images are done, for each of the three parts.

    Returns:
        The content of `calibration.json`.

    Raises:
        ManifestError: If the data must not be used.
        ModelError: If the model cannot be used.
    """
    loaded = load_engine(folder, engine=engine, exports=exports)
    split = make_split(read_data(data), protocol=protocol)
    part = choose_parts(split)

    def run(rows: tuple[Row, ...]) -> Outputs:
        images = load_images(rows, size=loaded.card.preprocessing.size)
        return compute_outputs(loaded, images, cache=cache, progress=progress)

    usual, fit, report = run(part.usual), run(part.fit), run(part.report)
    official = split.official_labels
    sections: dict[str, Any] = {
        "calibration": fit_calibration(fit, official=official),
        "ood": fit_ood(folder, usual=usual, fit=fit),
        "saliency": fit_saliency(fit),
    }
    if isinstance(loaded, RoundingEngine):
        sections["rounding"] = fit_rounding(loaded, part.fit, folder=folder, ood=sections["ood"])
    calibration = Calibration(**sections["calibration"])
    sections["abstention"] = fit_thresholds(fit, calibration=calibration, official=official)
    sections["possible"] = fit_possible(fit, calibration=calibration, official=official)
    origin = {"fitted_on": part.fitted_on, "protocol": protocol, "images": len(fit), "date": today()}
    for section in sections.values():
        section |= origin
    figures = measure(report, sections=sections, folder=folder, official=official)
    figures |= {"protocol": protocol, "on": part.reported_on, "date": today(), "command": command}
    record = {"fitted": sections, "reported": figures}
    write_json(folder / CALIBRATION_NAME, record)
    card = read_card(folder)
    kept = [entry for entry in card.get("metrics", ()) if entry.get("source") != CALIBRATION_NAME]
    write_card(folder, card | sections | {"metrics": [*kept, figures | {"source": CALIBRATION_NAME}]})
    return record


def fit_ood(folder: Path, *, usual: Outputs, fit: Outputs) -> dict[str, Any]:
    """Write the statistics of the training images and choose the limits of the distances.

    Each distance is measured in units of its own limit. Both limits are then enlarged alike, until the norm of both
    distances refuses no more images than either alone would.
    """
    # Directions must be left over, else no residual would ever remain.
    axes = min(AXES, *(count // 2 for count in usual.features.shape))
    path = folder / STATISTICS_NAME
    Statistics.fit(usual.features, usual.appearance, axes=axes).save(path)
    statistics = Statistics.load(path)
    appearance, features = statistics.appearance_distance(fit.appearance), statistics.feature_distance(fit.features)
    limits = _limit(features, fit.rows), _limit(appearance, fit.rows)
    factor = _limit(np.hypot(features / limits[0], appearance / limits[1]), fit.rows)
    return {
        **describe_file(path, dtype="float16"),
        "vectors": len(usual),
        "axes": axes,
        "feature_limit": round(factor * limits[0], 4),
        "appearance_limit": round(factor * limits[1], 4),
        "target_refused": {"of_all": REFUSED, "of_any_source": SOURCE_REFUSED},
    }


def _limit(distances: Float32Array, rows: tuple[Row, ...]) -> float:
    """Return the distance that at most `REFUSED` of all images exceed, and at most `SOURCE_REFUSED` of any source."""
    limits = [weighted_quantile(distances, source_weights(rows), share=1 - REFUSED)]
    sources = np.array([row.source for row in rows])
    limits += [float(np.quantile(distances[sources == name], 1 - SOURCE_REFUSED)) for name in set(sources)]
    return max(limits)


def fit_rounding(engine: Any, rows: tuple[Row, ...], *, folder: Path, ood: dict[str, Any]) -> dict[str, float]:
    """Measure how far an engine that rounds differs from float32, and choose margins above it.

    Args:
        engine: An engine with `predict` and `predict_exact`.
        rows: Images, of which at most `ROUNDING_IMAGES` are measured.
        folder: The model's folder, with the statistics of the training images.
        ood: The limits, from `fit_ood`.

    Returns:
        `lead` and `score`, see `Rounding`, and the largest differences that were measured.
    """
    images = load_images(rows[:: max(1, len(rows) // ROUNDING_IMAGES)], size=engine.card.preprocessing.size)
    statistics = Statistics.load(folder / STATISTICS_NAME)
    lead = score = 0.0
    for start in range(0, len(images), BATCH):
        batch = to_input(images.pixels[start : start + BATCH], parameters=engine.card.preprocessing)
        rounded, exact = engine.predict(batch), engine.predict_exact(batch)
        lead = max(lead, float(np.ptp(rounded.logits - exact.logits, axis=1).max()))
        distances = [statistics.feature_distance(output.features) for output in (rounded, exact)]
        score = max(score, float(np.abs(distances[0] - distances[1]).max()) / ood["feature_limit"])
    return {
        "lead": round(ROUNDING_MARGIN * lead, 3),
        "score": round(ROUNDING_MARGIN * score, 4),
        "largest_lead": round(lead, 3),
        "largest_score": round(score, 4),
        "measured": len(images),
    }


def fit_saliency(fit: Outputs) -> dict[str, Any]:
    """Fit the contrast of the class maps that counts as no and as full evidence.

    The floor is the larger of two contrasts: the 99th percentile of any tumor's over all places of images without a
    tumor, and the 90th percentile of the own finding's outside of the tumor's box. The ceiling is the median over
    tumor images of the strongest contrast of their own finding.
    """
    quiet: list[Float32Array] = []
    outside: list[Float32Array] = []
    loud: list[float] = []
    for row, maps in zip(fit.rows, fit.class_maps, strict=True):
        if row.partial:
            continue
        if row.true_label not in TUMORS:
            quiet += [contrast(maps, finding_index=FINDINGS.index(name)).ravel() for name in TUMORS]
            continue
        own = contrast(maps, finding_index=FINDINGS.index(row.true_label))
        loud.append(float(own.max()))
        if row.box is not None:
            outside.append(own[~box_mask(row.box, side=len(own))])
    floor = max(
        0.0,
        float(np.quantile(np.concatenate(quiet), 0.99)) if quiet else 0.0,
        float(np.quantile(np.concatenate(outside), 0.90)) if outside else 0.0,
    )
    ceiling = max(floor + 1.0, float(np.median(loud)) if loud else 0.0)
    return {"floor": round(floor, 3), "ceiling": round(ceiling, 3)}


def measure(report: Outputs, *, sections: dict[str, Any], folder: Path, official: bool) -> dict[str, Any]:
    """Return the figures on images that fitted nothing."""
    labels = report.labels(official=official)
    fitted = sections["calibration"]
    p = Calibration(fitted["temperature"], fitted["tumor_slope"], fitted["tumor_offset"]).probabilities(report.logits)
    raw = probabilities(report.logits, temperature=1.0)
    abstention = sections["abstention"]
    thresholds = Thresholds(
        abstention["threshold"], notumor=abstention["notumor_threshold"], tumor=abstention["tumor_threshold"]
    )
    confident = np.array([answer(row, thresholds) is not None for row in p])
    right = p.argmax(axis=1) == labels
    limits = {name: sections["ood"][name] for name in ("feature_limit", "appearance_limit")}
    scores = OodDetector(Statistics.load(folder / STATISTICS_NAME), **limits).score(report.features, report.appearance)
    low, high = metrics.bootstrap(lambda index: float(right[index].mean()), [row.group for row in report.rows])
    figures = {
        "accuracy": metrics.accuracy(p, labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "nll": metrics.nll(p, labels),
        "nll_uncalibrated": metrics.nll(raw, labels),
        "ece": metrics.ece(p, labels),
        "ece_uncalibrated": metrics.ece(raw, labels),
        "coverage": float(confident.mean()),
        "selective_accuracy": float(right[confident].mean()) if confident.any() else 0.0,
        "brain_mri_refused": float((scores > LIMIT).mean()),
    }
    return {"images": len(report)} | {key: round(value, 4) for key, value in figures.items()}
