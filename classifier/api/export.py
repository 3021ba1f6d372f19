"""`GET scans/export.csv`: a list of scans as one file."""

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from classifier.api.base import PrivateView
from classifier.api.queries import ScanFilterQuery
from classifier.api.schema import RETRY_AFTER, errors
from classifier.scan_csv import COLUMNS, MAX_ROWS, csv_response, is_too_long
from classifier.selectors.history import criteria_of
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of


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
        query = ScanFilterQuery(data=request.query_params, context={"request": request})
        query.is_valid(raise_exception=True)
        scans = ScanList(scope_of(request.user), criteria_of(query.validated_data))  # type: ignore[arg-type]
        if is_too_long(scans):
            text = f"More than {MAX_ROWS:,} scans match. Narrow the export with filters, such as uploaded_after."
            raise ValidationError([ErrorDetail(text, code="too_many")])
        return csv_response(scans)
