"""Write the figures of a cross-validation as a Markdown table: a row for each figure, a column for each fold."""

from collections.abc import Callable, Iterator, Sequence
from math import isnan
from statistics import fmean
from typing import Any

from classifier.training.markdown import percent, table
from classifier.wording import with_interval

Figures = dict[str, Any]
Read = Callable[[Figures], float | None]


def fold_page(content: Figures) -> str:
    """Return the table of a cross-validation.

    Args:
        content: What `cross_validate` returns.

    Returns:
        Markdown. With more than one fold, the last two columns hold their mean and their range. Where a figure was not
        measured in every fold, they take those that have it.
    """
    folds = content["folds"]
    counts = (f"{fold['images']:,}, {fold['groups']}" for fold in folds)
    rows = [
        ("images, patient groups", *counts, *("",) * len(_summary(folds))),
        *(_row(name, [read(fold) for fold in folds], show) for name, read, show in _figures(folds)),
    ]
    together = content["together"]
    accuracy = with_interval(*(together[f"accuracy{end}"] for end in ("", "_low", "_high")), digits=1)
    head = ("", *(f"fold {fold['fold']}" for fold in folds), *_summary(folds))
    return (
        f"{table(head, rows)}\n\n"
        f"All {together['images']:,} test images together: accuracy {accuracy}, resampled by patient group.\n"
    )


def _figures(folds: list[Figures]) -> Iterator[tuple[str, Read, Callable[[float | None], str]]]:
    """Yield name, reader and form of each figure."""
    for name, key, show in (
        ("accuracy", "accuracy", percent),
        ("glioma recall", "glioma_recall", percent),
        ("meningioma recall", "meningioma_recall", percent),
        ("pituitary tumor recall", "pituitary_recall", percent),
        ("images without a tumor called so", "notumor_recall", percent),
        ("tumors of other scanners called a tumor", "other_scanner_tumor_sensitivity", percent),
        ("calibration error", "ece", _decimal),
        ("answered", "coverage", percent),
        ("accuracy of the answers", "selective_accuracy", percent),
    ):
        yield name, _of(key), show
    elsewhere = [fold["other_hospitals"] for fold in folds if fold.get("other_hospitals")]
    for name, sequence in dict.fromkeys((row["set"], row["sequence"]) for part in elsewhere for row in part["sets"]):
        yield f"area within patients, `{name}` {sequence}", _of_set("sets", "area_within", name, sequence), _decimal
    for name, label in dict.fromkeys((row["set"], row["label"]) for part in elsewhere for row in part["without_tumor"]):
        words = f"`{name}`, {label.replace('_', ' ')}, called a tumor"
        yield words, _of_set("without_tumor", "called_tumor", name, label), percent
    if elsewhere:
        yield "other hospitals: tumors called a tumor", _of("other_hospitals", "all", "sensitivity"), percent
        yield "other hospitals: others not called a tumor", _of("other_hospitals", "all", "specificity"), percent
        yield "slices whose tumor was taken out", _of("other_hospitals", "erased", "pairs"), _whole
        yield "of them still called a tumor", _of("other_hospitals", "erased", "still_called_tumor"), percent
        yield "area of with against without", _of("other_hospitals", "erased", "area"), _decimal


def _of(*keys: str) -> Read:
    def read(figures: Figures) -> float | None:
        value: Any = figures
        for key in keys:
            value = (value or {}).get(key)
        return _known(value)

    return read


def _of_set(part: str, key: str, name: str, second: str) -> Read:
    """Return a reader of one row of `sets` (second: sequence) or of `without_tumor` (second: label)."""

    def read(figures: Figures) -> float | None:
        for row in (figures.get("other_hospitals") or {}).get(part, ()):
            if row["set"] == name and second in (row.get("sequence"), row.get("label")):
                return _known(row[key])
        return None

    return read


def _known(value: float | None) -> float | None:
    """Return None also for an area of images that are all of one class."""
    return None if value is None or isnan(value) else float(value)


def _summary(folds: Sequence[Any]) -> tuple[str, ...]:
    return ("mean", "range") if len(folds) > 1 else ()


def _row(name: str, values: list[float | None], show: Callable[[float | None], str]) -> tuple[str, ...]:
    known = [value for value in values if value is not None]
    mean, spread = (fmean(known), f"{show(min(known))} to {show(max(known))}") if known else (None, "")
    cells = (name, *(show(value) for value in values))
    return (*cells, show(mean), spread) if _summary(values) else cells


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
