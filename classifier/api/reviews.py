"""REST views of impressions, reviews, and diagnoses. All of them are append-only: they are listed and created."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier.api.base import SEALED, PrivateView
from classifier.api.parsers import JSONParser
from classifier.api.review_serializers import (
    NEW_REVIEW,
    DiagnosisSerializer,
    ImpressionSerializer,
    NewDiagnosisSerializer,
    NewImpressionSerializer,
    ReviewSerializer,
    new_review,
)
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Analysis, Diagnosis, Impression, Review, Scan
from classifier.selectors.analysis import get_analysis
from classifier.selectors.review import statements_of
from classifier.selectors.scan import get_scan
from classifier.services.errors import Sealed
from classifier.services.review import record_diagnosis, record_impression, submit_review

LISTED = errors(404, status_409=SEALED)


def created(kind: Any, description: str, *, conflict: str) -> dict[Any, Any]:
    """Return the documented responses of an operation that records something."""
    refusals = errors(*(400, 404, 413, 415), status_403="The session has no CSRF token.", status_409=conflict)
    return {201: OpenApiResponse(kind, description=description)} | refusals


class StatementViewSet(PrivateView, GenericViewSet[Any]):
    """Base of the views."""

    parser_classes = (JSONParser,)
    # A scan has few statements: no pages, no filters.
    pagination_class = None
    filterset_class = None

    def scan(self, scan_id: UUID) -> Scan:
        """Return a visible scan. Raise `Http404` for any other."""
        try:
            return get_scan(self.request.user, scan_id)  # type: ignore[arg-type]
        except Scan.DoesNotExist as error:
            raise Http404 from error

    def open_scan(self, scan_id: UUID) -> Scan:
        """Return a visible scan. Raise `Sealed` if it is closed: other readers' statements reveal the result."""
        scan = self.scan(scan_id)
        if scan.closed:
            raise Sealed
        return scan


class ReviewViewSet(StatementViewSet):
    """Reviews of an analysis."""

    serializer_class = ReviewSerializer
    queryset = Review.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(parameters=[RETRY_AFTER], responses={200: ReviewSerializer(many=True)} | LISTED)
    def list(self, request: Request, pk: UUID) -> Response:
        """List the reviews of an analysis, oldest first."""
        scan = self.open_scan(self._analysis(pk).scan_id)
        reviews = statements_of(request.user, scan).reviews  # type: ignore[arg-type]
        return Response(ReviewSerializer([review for review in reviews if review.analysis_id == pk], many=True).data)

    @extend_schema(
        request=NEW_REVIEW,
        parameters=[RETRY_AFTER],
        responses=created(
            ReviewSerializer,
            "The review is recorded.",
            conflict=f"{SEALED} Or the analysis has no result (`no_result`), or the scan was deleted (`scan_deleted`).",
        ),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Review an analysis: agree with it, or correct it. A further review by the caller revises the first."""
        analysis = self._analysis(pk)
        fields = new_review(request.data)
        fields.is_valid(raise_exception=True)
        review = submit_review(analysis, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        return Response(ReviewSerializer(review).data, status=status.HTTP_201_CREATED)

    def _analysis(self, pk: UUID) -> Analysis:
        try:
            return get_analysis(self.request.user, pk)  # type: ignore[arg-type]
        except Analysis.DoesNotExist as error:
            raise Http404 from error


class ImpressionViewSet(StatementViewSet):
    """Impressions of a scan."""

    serializer_class = ImpressionSerializer
    queryset = Impression.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(parameters=[RETRY_AFTER], responses={200: ImpressionSerializer(many=True)} | LISTED)
    def list(self, request: Request, pk: UUID) -> Response:
        """List the impressions of a scan, oldest first."""
        statements = statements_of(request.user, self.open_scan(pk))  # type: ignore[arg-type]
        return Response(ImpressionSerializer(statements.impressions, many=True).data)

    @extend_schema(
        request=NewImpressionSerializer,
        parameters=[RETRY_AFTER],
        responses=created(
            ImpressionSerializer,
            "The impression is recorded, and the result is open to the caller.",
            conflict="The result is open to the caller already (`not_sealed`), or the caller has recorded an "
            "impression of the scan (`already_recorded`).",
        ),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Record what the caller sees in a sealed scan. This opens the result to the caller."""
        scan = self.scan(pk)
        fields = NewImpressionSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        impression = record_impression(scan, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        return Response(ImpressionSerializer(impression).data, status=status.HTTP_201_CREATED)


class DiagnosisViewSet(StatementViewSet):
    """Confirmed diagnoses of a scan."""

    serializer_class = DiagnosisSerializer
    queryset = Diagnosis.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(parameters=[RETRY_AFTER], responses={200: DiagnosisSerializer(many=True)} | LISTED)
    def list(self, request: Request, pk: UUID) -> Response:
        """List the confirmed diagnoses of a scan, oldest first. The newest one counts."""
        statements = statements_of(request.user, self.open_scan(pk))  # type: ignore[arg-type]
        return Response(DiagnosisSerializer(statements.diagnoses, many=True).data)

    @extend_schema(
        request=NewDiagnosisSerializer,
        parameters=[RETRY_AFTER],
        responses=created(DiagnosisSerializer, "The diagnosis is recorded.", conflict=SEALED),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Record a confirmed diagnosis of a scan."""
        scan = self.scan(pk)
        fields = NewDiagnosisSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        diagnosis = record_diagnosis(scan, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        return Response(DiagnosisSerializer(diagnosis).data, status=status.HTTP_201_CREATED)
