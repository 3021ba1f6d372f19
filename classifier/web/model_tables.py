"""The comparison of models as rows and charts of a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from classifier.comparison.curves import (
    COVERAGES,
    RECALLS,
    SPECIFICITIES,
    Curves,
    curves_of,
)
from classifier.comparison.differences import Difference
from classifier.comparison.evaluations import Evaluation
from classifier.comparison.figures import Figure
from classifier.comparison.measures import HOSPITALS
from classifier.comparison.tables import amount, counted, formatted
from classifier.findings import FINDING_LABELS, FINDINGS
from classifier.selectors.comparison import ComparedModel, Costs
from classifier.selectors.model_figures import SMALLEST_GROUP
from classifier.training.predictions import TEST
from classifier.wording import duration, percent, signed_interval

NOT_MEASURED = "not measured"
CURVE_PARTS = {TEST: "Test images of the protocol", HOSPITALS: "Other hospitals, all"}
"""Parts whose curves can be drawn, with their names for people."""

SMALLEST_BIN = SMALLEST_GROUP
"""Bins of fewer images are not drawn: their share is mostly chance."""

VERDICTS = {"better": "better", "worse": "worse", "unclear": "no difference shown"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its name and one cell for each model."""

    name: str
    cells: tuple[str, ...]
    starts: str = ""
    note: str = ""


def figure_rows(models: Sequence[ComparedModel], *, protocol: str, by_set: bool = False) -> list[Row]:
    """Return a row for each figure that a model has, with the name of its part where the part begins.

    Args:
        models: The models, one for each column.
        protocol: The protocol.
        by_set: Whether to return the single sets of other hospitals instead of everything else.
    """
    known = [{figure.key: figure for figure in model.figures(protocol)} for model in models]
    order: dict[str, dict[tuple[str, str], Figure]] = {}
    for table in known:
        for figure in table.values():
            order.setdefault(figure.part.key, {}).setdefault(figure.key, figure)
    rows = []
    for part, figures in order.items():
        if part.startswith(f"{HOSPITALS}/") != by_set:
            continue
        for position, (key, figure) in enumerate(figures.items()):
            cells = tuple(formatted(table[key]) if key in table else NOT_MEASURED for table in known)
            rows.append(Row(figure.measure.label, cells, "" if position else figure.part.label, counted(figure)))
    return rows


def difference_rows(differences: Sequence[Difference], *, by_set: bool = False) -> list[dict[str, str]]:
    """Return a row for each paired difference, with its verdict in words. For `by_set` see `figure_rows`."""
    return [
        {
            "part": row.part.label,
            "measure": row.measure.label,
            "difference": _signed(row.difference, is_share=row.measure.is_share),
            "interval": ""
            if row.low is None or row.high is None
            else signed_interval(*(_signed(bound, is_share=row.measure.is_share) for bound in (row.low, row.high))),
            "verdict": VERDICTS[row.verdict],
            "kind": row.verdict,
            "images": f"{row.images:,}",
        }
        for row in differences
        if row.part.key.startswith(f"{HOSPITALS}/") == by_set
    ]


def cost_rows(models: Sequence[ComparedModel]) -> list[Row]:
    """Return what each model costs, without rows that nobody has measured for any model."""
    costs = [model.costs for model in models]
    rows = [
        Row("Trained under", tuple(model.trained_under() or "not recorded" for model in models)),
        Row("Parameters", tuple(_millions(cost.parameters) for cost in costs)),
        Row("Size of its files", tuple(f"{cost.file_bytes / 1e6:.1f} MB" for cost in costs)),
        Row("Input", tuple(f"{m.card.preprocessing.size} × {m.card.preprocessing.size} pixels" for m in models)),
        Row("Time per image, evaluation", tuple(_time(c.evaluation_ms, c.evaluation_engine) for c in costs)),
        Row("Time per image, benchmark", tuple(_time(c.bench_ms, c.bench_engine) for c in costs)),
        Row("Memory of the process, benchmark", tuple(_mebibytes(cost) for cost in costs)),
        Row("Benchmark", tuple(_benchmark(cost) for cost in costs)),
        Row("Memory in a worker here", tuple(_worker(cost) for cost in costs)),
    ]
    return [row for row in rows if any(cell != NOT_MEASURED for cell in row.cells)]


def curve_charts(models: Sequence[ComparedModel], *, protocol: str, part: str) -> dict[str, Any]:
    """Return the curves of every model, for the charts and for the tables beside them."""
    found = [
        (model.heading(protocol), curves)
        for model in models
        if (evaluation := model.evaluations.get(protocol)) is not None and (curves := curves_of(evaluation, part))
    ]
    return {
        "roc": _lines(found, "roc"),
        "precision_recall": _lines(found, "precision_recall"),
        "selective": _lines(found, "selective"),
        "reliability": [
            {
                "name": name,
                "points": [
                    [row["confidence"], row["accuracy"]] for row in curves.reliability if row["images"] >= SMALLEST_BIN
                ],
            }
            for name, curves in found
        ],
        "tables": [
            _table("Sensitivity at a specificity of", SPECIFICITIES, found, "at_specificity", "AUC", "area"),
            _table("Precision at a recall of", RECALLS, found, "at_recall", "Average precision", "average_precision"),
            _table("Accuracy at a coverage of", COVERAGES, found, "at_coverage", "", ""),
            _table(
                f"Bins of fewer than {SMALLEST_BIN} images are not drawn",
                (),
                found,
                "",
                "Expected calibration error",
                "ece",
            ),
        ],
    }


def pareto_points(models: Sequence[ComparedModel], *, protocol: str) -> list[dict[str, Any]]:
    """Return time and accuracy of each model that has both, and whether no other is better in both.

    Times of different engines or machines are not compared: each alone can make a network several times as fast. A
    model without another to compare it with is neither efficient nor not: None.
    """
    points = []
    for model in models:
        accuracy = next((f for f in model.figures(protocol) if f.key == (TEST, "accuracy")), None)
        milliseconds, engine = model.latency(protocol)
        if accuracy is not None and milliseconds is not None:
            points.append(
                {
                    "name": model.heading(protocol),
                    "milliseconds": round(milliseconds, 1),
                    "accuracy": round(accuracy.value, 4),
                    "text": formatted(accuracy),
                    "time": _time(milliseconds, engine),
                    "timed_on": list(model.timed_on(protocol)),
                }
            )
    for point in points:
        same = [other for other in points if other["timed_on"] == point["timed_on"] and other is not point]
        alone = len(points) > 1 and not same
        point["efficient"] = None if alone else not any(_dominates(other, point) for other in same)
    return points


def finding_rows(evaluation: Evaluation) -> list[Row]:
    """Return precision, recall, and F1 of each finding on the test images, and where the map points."""
    per_class = evaluation.figures.get("per_class") or {}
    pointing = (evaluation.figures.get("saliency") or {}).get("by_finding") or {}
    possible = (evaluation.figures.get("possible") or {}).get("by_finding") or {}
    rows = []
    for name in FINDINGS:
        scores = per_class.get(name)
        if scores is None:
            continue
        cells = [amount(scores[key], is_share=True) for key in ("recall", "precision", "f1")]
        cells += [percent(part[name], digits=1) if name in part else "" for part in (possible, pointing)]
        rows.append(Row(FINDING_LABELS[name].capitalize(), (f"{scores['images']:,}", *cells)))
    return rows


def refusal_rows(evaluation: Evaluation) -> list[Row]:
    """Return the share refused of each family of other images."""
    families = (evaluation.figures.get("refusal") or {}).get("by_family") or {}
    return [
        Row(f"{name[:1].upper()}{name[1:]}", (f"{row['images']:,}", percent(row["refused"], digits=1)))
        for name, row in families.items()
    ]


def _lines(found: Sequence[tuple[str, Curves]], key: str) -> list[dict[str, Any]]:
    return [{"name": name, "points": points} for name, curves in found if (points := asdict(curves)[key])]


def _table(
    heading: str, at: Sequence[float], found: Sequence[tuple[str, Curves]], key: str, summary: str, summary_key: str
) -> dict[str, Any]:
    """Return a table with a row for each model: an optional summary, then the values at given points."""
    rows = []
    for name, curves in found:
        values = getattr(curves, key) if key else []
        total = getattr(curves, summary_key) if summary else None
        if values or total is not None:
            cells = [f"{total:.3f}"] if summary and total is not None else []
            rows.append(Row(name, (*cells, *(percent(value, digits=1) for value in values))))
    columns = [summary] if summary else []
    return {"heading": heading, "columns": [*columns, *(percent(value) for value in at)], "rows": rows}


def _dominates(other: dict[str, Any], point: dict[str, Any]) -> bool:
    as_good = other["milliseconds"] <= point["milliseconds"] and other["accuracy"] >= point["accuracy"]
    return bool(as_good and (other["milliseconds"], other["accuracy"]) != (point["milliseconds"], point["accuracy"]))


def _signed(value: float, *, is_share: bool) -> str:
    """Return a difference: shares in percentage points with one decimal, other numbers with three."""
    text = f"{100 * value:+.1f}" if is_share else f"{value:+.3f}"
    # What is rounded to 0 has no sign.
    return text[1:] if not text.strip("+-0.") else text.replace("-", "−")


def _millions(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number / 1e6:.2f} million"


def _time(milliseconds: float | None, engine: str) -> str:
    return NOT_MEASURED if milliseconds is None else f"{duration(milliseconds)} ({engine})"


def _mebibytes(cost: Costs) -> str:
    return NOT_MEASURED if cost.bench_mebibytes is None else f"{cost.bench_mebibytes:.0f} MiB ({cost.bench_engine})"


def _benchmark(cost: Costs) -> str:
    return NOT_MEASURED if cost.bench_ms is None else f"{cost.bench_model}, {cost.bench_date}"


def _worker(cost: Costs) -> str:
    return "not loaded" if cost.worker_bytes is None else f"{cost.worker_bytes / 2**20:.0f} MiB"
