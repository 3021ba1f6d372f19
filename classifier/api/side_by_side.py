"""REST views of one scan read by several models."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.analysis_serializers import AnalysisSerializer, SideBySideSerializer
from classifier.api.base import SEALED, PrivateView
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Scan
from classifier.selectors.scan import get_scan
from classifier.selectors.side_by_side import side_by_side
from classifier.services.analysis import request_all_models
from classifier.services.errors import Sealed


class AnalyzeAllView(PrivateView):
    """Analyses of a scan by every model."""

    @extend_schema(
        operation_id="v1_scans_analyses_all_create",
        parameters=[RETRY_AFTER],
        request=None,
        responses={202: OpenApiResponse(AnalysisSerializer(many=True), description="The analyses that were queued.")}
        | errors(404, status_403="The session has no CSRF token."),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Analyze a scan with every model that has not analyzed it in its present version.

        The current analysis of the scan stays the same.
        """
        made = request_all_models(_scan_or_404(request, pk), by=request.user)  # type: ignore[arg-type]
        body = AnalysisSerializer(made, many=True, context={"request": request}).data
        return Response(body, status=status.HTTP_202_ACCEPTED)


class ComparisonView(PrivateView):
    """The answers of several models for one scan."""

    @extend_schema(
        operation_id="v1_scans_comparison_retrieve",
        parameters=[RETRY_AFTER],
        responses={200: SideBySideSerializer} | errors(404, status_409=SEALED),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the newest analysis of each model, and how far their answers agree."""
        compared = side_by_side(request.user, _scan_or_404(request, pk))  # type: ignore[arg-type]
        if any(row.sealed for row in compared.analyses):
            raise Sealed
        return Response(SideBySideSerializer(compared, context={"request": request}).data)


def _scan_or_404(request: Request, pk: UUID) -> Scan:
    try:
        return get_scan(request.user, pk)  # type: ignore[arg-type]
    except Scan.DoesNotExist as error:
        raise Http404 from error
