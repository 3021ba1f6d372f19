"""Acceptance reports of several sites in one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from classifier.acceptance.limits import VERDICT_LABELS
from classifier.acceptance.signature import SignedFile
from classifier.wording import exact_percent, with_interval

MAX_REPORTS = 10
"""Reports that are compared at once. More columns do not fit on a screen."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people: a column for each file, a row for each figure."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def side_by_side(files: Sequence[tuple[str, SignedFile]]) -> Table:
    """Return the table of reports.

    Args:
        files: Name and content of each file.
    """
    reports = [file.report for _, file in files]
    rows = [
        ("Signed by the key", [file.fingerprint for _, file in files]),
        ("Model", [f"{report['model']['name']} {report['model']['version']}" for report in reports]),
        ("Closed on", [str(report["closed"]) for report in reports]),
        ("Cases with truth", [f"{report['counts']['with_truth']:,}" for report in reports]),
        ("Prevalence", [prevalence_text(report["limits"]["prevalence"]) for report in reports]),
        ("Patients", [f"{report['counts']['patients']:,}" for report in reports]),
        ("Verdict", [VERDICT_LABELS.get(report["verdict"], report["verdict"]) for report in reports]),
    ]
    found = [{figure["key"]: figure for figure in report["figures"]} for report in reports]
    keys = list(dict.fromkeys(key for figures in found for key in figures))
    for key in keys:
        label = next(figures[key]["label"] for figures in found if key in figures)
        rows.append((label, [figure_text(figures.get(key)) for figures in found]))
    return Table(tuple(name for name, _ in files), tuple((label, tuple(cells)) for label, cells in rows))


def figure_text(figure: dict[str, Any] | None) -> str:
    """Return a figure with its interval: "94.1% (88.0–97.6)"; "not measured" without one."""
    if figure is None or figure["value"] is None:
        return "not measured"
    return with_interval(figure["value"], figure["low"], figure["high"], digits=1)


def prevalence_text(value: float | None) -> str:
    """Return the prevalence that a site stated beforehand."""
    return "not stated" if value is None else exact_percent(value)
