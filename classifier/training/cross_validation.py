"""Cross-validation by patient: one configuration trained and tested on each fold; every image is tested once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.findings import FINDINGS
from classifier.inference.calibration import Calibration, probabilities
from classifier.inference.decision import answer
from classifier.inference.engines import load_engine
from classifier.inference.registry import Thresholds
from classifier.training import metrics
from classifier.training.cards import today, write_json
from classifier.training.config import TrainingConfig
from classifier.training.fitting import fit_calibration, fit_thresholds
from classifier.training.fold_check import check_fold
from classifier.training.fold_page import fold_page
from classifier.training.images import load_images
from classifier.training.loop import Progress
from classifier.training.manifest import FOLDS, Row
from classifier.training.outputs import Outputs, compute_outputs
from classifier.training.package import package_run
from classifier.training.run import RunOptions, split_of, train

RESULT_NAME = "cross_validation.json"
PAGE_NAME = "cross_validation.md"
NOTUMOR = FINDINGS.index("notumor")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FoldResult:
    """A network's calibrated answers on the fold that it has never seen.

    Attributes:
        fold: The test fold.
        rows: Its fully labeled images.
        p: Calibrated probabilities, float32 `(N, 4)`.
        raw: Uncalibrated probabilities, float32 `(N, 4)`.
        calibration: What calibrates them, see `Calibration`.
        answered: Whether each is above the threshold that the fold's own validation part chose, bool `(N,)`.
        extra_p: Calibrated probabilities of the fold's partially labeled tumors, float32 `(M, 4)`.
        extra_rows: Those tumors.
        elsewhere: See `check_fold`.
    """

    fold: int
    rows: tuple[Row, ...]
    p: npt.NDArray[np.float32]
    raw: npt.NDArray[np.float32]
    calibration: dict[str, float]
    answered: npt.NDArray[np.bool_]
    extra_p: npt.NDArray[np.float32]
    extra_rows: tuple[Row, ...]
    elsewhere: dict[str, Any]


def cross_validate(
    options: RunOptions,
    *,
    config: TrainingConfig,
    folds: Sequence[int],
    like: Path,
    engine: str,
    exports: Path | None,
    progress: Progress,
    tell: Tell,
) -> dict[str, Any]:
    """Train and test each fold, or resume where it was interrupted.

    Args:
        options: As for one run; `test_fold` is replaced, and `output` holds a folder for each fold.
        config: The configuration, the same for all folds.
        folds: Which folds; one is enough to compare two configurations on the same images.
        like: A model folder whose texts are copied to the folds' models.
        engine: See `load_engine`.
        exports: See `load_engine`.
        progress: Told after every step of training.
        tell: Told a sentence when a fold is done.

    Returns:
        The content of `cross_validation.json`: figures of each fold, and of all their images together. It is written
        after each fold, and `cross_validation.md` with it, which holds the figures as a table.

    Raises:
        ManifestError: If the data must not be used.
        ValueError: If the protocol is not `patient`, no part is held out to calibrate on, or the output folder
            holds runs of another configuration.
    """
    if options.protocol != "patient" or not options.validate:
        raise ValueError("Cross-validation needs the protocol patient and a validation part.")
    import keras

    results: list[FoldResult] = []
    content: dict[str, Any] = {}
    seconds = 0.0
    for fold in folds:
        keras.utils.clear_session()  # The networks of the folds before would stay in memory.
        run = replace(options, test_fold=fold, output=options.output / f"fold{fold}")
        record = _finished(run.output, config=config) or train(run, config=config, progress=progress)
        seconds += record["seconds"]
        results.append(test_fold(run, like=like, engine=engine, exports=exports))
        tell(f"Fold {fold}: {score(results[-1:])}")
        content = {
            "date": today(),
            "plan": record["config"],
            "partial_labels": record["partial_labels"],
            "precision": record["precision"],
            "initial_weights": record["initial_weights"] or record["backbone_weights"],
            "manifests": record["manifests"],
            "training_seconds": round(seconds),
            "folds": [
                {"fold": done.fold} | done.calibration | score([done]) | {"other_hospitals": done.elsewhere}
                for done in results
            ],
            "folds_missing": FOLDS - len(results),
            "together": score(results),
        }
        write_json(options.output / RESULT_NAME, content)
        (options.output / PAGE_NAME).write_text(fold_page(content), encoding="utf-8")
    return content


def test_fold(run: RunOptions, *, like: Path, engine: str, exports: Path | None) -> FoldResult:
    """Calibrate a finished run on its validation part and apply it to its test fold."""
    folder = run.output / "model"
    package_run(run.output, folder=folder, version=f"fold{run.test_fold}", like=like)
    loaded = load_engine(folder, engine=engine, exports=exports)
    # Tumors of other scanners are tested also where they were not learned from.
    split = split_of(replace(run, extra=True))

    def outputs(rows: tuple[Row, ...]) -> Outputs:
        images = load_images(rows[: run.limit], size=loaded.card.preprocessing.size)
        return compute_outputs(loaded, images, cache=run.output / "outputs")

    fit = outputs(split.validation)
    test = outputs(split.test)
    fitted = fit_calibration(fit, official=False)
    calibration = Calibration(**fitted)
    section = fit_thresholds(fit, calibration=calibration, official=False)
    thresholds = Thresholds(
        section["threshold"], notumor=section["notumor_threshold"], tumor=section["tumor_threshold"]
    )
    p = calibration.probabilities(test.logits)
    extra = outputs(split.extra_test) if split.extra_test else None
    card = replace(loaded.card, calibration=calibration, thresholds=thresholds, ood=None)
    return FoldResult(
        fold=run.test_fold,
        rows=test.rows,
        p=p,
        raw=probabilities(test.logits, temperature=1.0),
        calibration=fitted,
        answered=np.array([answer(row, thresholds) is not None for row in p]),
        extra_p=p[:0] if extra is None else calibration.probabilities(extra.logits),
        extra_rows=() if extra is None else extra.rows,
        elsewhere=check_fold(loaded, split, card=card),
    )


def score(results: list[FoldResult]) -> dict[str, Any]:
    """Return the figures of one or more folds together; intervals are resampled by patient group."""
    rows = [row for result in results for row in result.rows]
    p = np.concatenate([result.p for result in results])
    raw = np.concatenate([result.raw for result in results])
    answered = np.concatenate([result.answered for result in results])
    labels = np.array([FINDINGS.index(row.true_label) for row in rows])
    right = p.argmax(axis=1) == labels
    called_tumor = p.argmax(axis=1) != NOTUMOR
    groups = [row.group for row in rows]
    low, high = metrics.bootstrap(lambda index: float(right[index].mean()), groups)
    figures = {
        "accuracy": metrics.accuracy(p, labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "ece": metrics.ece(p, labels),
        "ece_uncalibrated": metrics.ece(raw, labels),
        "nll": metrics.nll(p, labels),
        "coverage": float(answered.mean()),
        "selective_accuracy": float(right[answered].mean()) if answered.any() else None,
        **{f"{name}_recall": value["recall"] for name, value in metrics.per_class(p, labels).items()},
        "tumor_sensitivity": float(called_tumor[labels != NOTUMOR].mean()),
    }
    found = np.concatenate([result.extra_p for result in results]).argmax(axis=1) != NOTUMOR
    if len(found):
        extra_groups = [row.group for result in results for row in result.extra_rows]
        low, high = metrics.bootstrap(lambda index: float(found[index].mean()), extra_groups)
        figures |= {
            "other_scanner_tumor_sensitivity": float(found.mean()),
            "other_scanner_low": low,
            "other_scanner_high": high,
        }
    counts = {"images": len(rows), "groups": len(set(groups)), "other_scanner_tumors": len(found)}
    return counts | {name: None if value is None else round(value, 4) for name, value in figures.items()}


def _finished(folder: Path, *, config: TrainingConfig) -> dict[str, Any] | None:
    """Return the record of a run that has ended, else None.

    Raises:
        ValueError: If it used another configuration.
    """
    path = folder / "run.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "finished" not in record:
        return None
    # Options missing from an older version's record had their defaults.
    recorded = json.loads(json.dumps(asdict(TrainingConfig()))) | record["config"]
    if recorded != json.loads(json.dumps(asdict(config))):
        raise ValueError(f"{folder} holds a run with other hyper-parameters. Choose another output folder.")
    return record
