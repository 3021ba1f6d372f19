"""`GET scans/export.csv`: a list of scans as one file."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from classifier.api.base import PrivateView
from classifier.api.queries import ScanFilterQuery
from classifier.api.schema import RETRY_AFTER, errors
from classifier.findings import FINDINGS
from classifier.models import Scan
from classifier.selectors.history import ScanFilter
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.scan import visible_scans
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


class ScanExportView(PrivateView):
    """The scans that match, as a file."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return the renderer of errors. The `Accept` header is ignored, since the file has only one type."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="scans_export",
        parameters=[
            ScanFilterQuery,
            RETRY_AFTER,
            OpenApiParameter(
                "Content-Disposition",
                str,
                OpenApiParameter.HEADER,
                description="`attachment` with the name of the file.",
                response=[200],
            ),
        ],
        responses={
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR, description=f"UTF-8 with a header row: {', '.join(COLUMNS)}."
            )
        }
        | errors(status_400=f"A query parameter is invalid, or more than {MAX_ROWS:,} scans match (`too_many`)."),
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Return the scans that the caller can see as CSV, newest first, with the filters of `GET scans/`.

        Sealed and withheld results are empty. An apostrophe stands before texts that a spreadsheet would take for a
        formula.
        """
        ScanFilterQuery(data=request.query_params, context={"request": request}).is_valid(raise_exception=True)
        shown = visible_scans(request.user)  # type: ignore[arg-type]
        scans = ScanFilter(request.query_params, queryset=shown, request=request).scan_list()
        if scans.count(MAX_ROWS + 1) > MAX_ROWS:
            text = f"More than {MAX_ROWS:,} scans match. Narrow the export with filters, such as uploaded_after."
            raise ValidationError([ErrorDetail(text, code="too_many")])
        return StreamingHttpResponse(
            _lines(scans),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="scans.csv"'},
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
