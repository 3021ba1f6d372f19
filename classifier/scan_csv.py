"""A list of scans as a CSV file, for pages and API."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from classifier.findings import FINDINGS
from classifier.models import Scan
from classifier.selectors.lists.scan_list import ScanList
from classifier.wording import sentence, withheld

MAX_ROWS = 20_000
"""A longer file would hold a thread of the web server for long."""

COLUMNS = (
    *("id", "created_at", "owner", "team", "patient_reference", "state", "outcome", "finding", "sentence"),
    *(f"probability_{name}" for name in FINDINGS),
    *("tumor_probability", "confidence", "ood_score", "model", "model_version", "finished_at"),
    *("input_problems", "withheld", "sealed"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins so for a formula."""


def is_too_long(scans: ScanList) -> bool:
    """Return whether more than `MAX_ROWS` scans are in the list."""
    return scans.count(MAX_ROWS + 1) > MAX_ROWS


def csv_response(scans: ScanList) -> StreamingHttpResponse:
    """Return the scans as a file of UTF-8 text with a header row.

    Sealed and withheld results are empty. An apostrophe stands before texts that a spreadsheet would take for a
    formula.
    """
    return StreamingHttpResponse(
        _lines(scans),
        content_type="text/csv; charset=utf-8",
        headers={"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="scans.csv"'},
    )


class _Line:
    """A target for `csv.writer` that keeps the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _lines(scans: ScanList) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    yield line.text
    for scan in scans.walk():
        writer.writerow([_cell(value) for value in _values(scan)])
        yield line.text


def _values(scan: Scan) -> list[Any]:
    analysis = scan.current_analysis
    own = [scan.pk, scan.created_at, scan.owner.username, scan.team_id, scan.patient_reference]
    flags = [" ".join(scan.input_codes), withheld(scan.current_analysis), scan.sealed]
    if analysis is None:
        return [*own, *[None] * (len(COLUMNS) - len(own) - len(flags)), *flags]
    return [
        *own,
        *(analysis.state, analysis.outcome, analysis.finding, sentence(analysis)),
        *(analysis.probabilities or [None] * len(FINDINGS)),
        *(analysis.tumor_probability, analysis.confidence, analysis.ood_score),
        *(analysis.model_name, analysis.model_version, analysis.finished_at),
        *flags,
    ]


def _cell(value: Any) -> str:
    """Return a value as text: times in ISO 8601, `true` and `false`, and nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
