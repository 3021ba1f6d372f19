"""Scans: upload, list, read, delete, and their images and analyses."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from classifier import scan_files
from classifier.api.analysis_serializers import AnalysisSerializer, NewAnalysisSerializer
from classifier.api.base import PREFER, PREFERENCE_APPLIED, SEALED, PrivateView, idempotency_key
from classifier.api.pagination import NewestFirst
from classifier.api.parsers import JSONParser
from classifier.api.preferences import wait_seconds
from classifier.api.queries import QuerySerializer, SaliencyQuery, ScanQuery
from classifier.api.scan_serializers import ScanSerializer, SubmittedScanSerializer, UploadSerializer
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Analysis, Scan
from classifier.queue.order import positions_of
from classifier.queue.waiting_slots import waiting_slot
from classifier.selectors.analysis import wait_until_finished
from classifier.selectors.history import ScanFilter, criteria_of
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.scan import get_scan, scan_analyses
from classifier.services.analysis import request_analysis
from classifier.services.batch import Place, open_batch
from classifier.services.errors import Sealed
from classifier.services.scan import delete_scan, submit_scan

# An analysis takes about a second, so an earlier request would only repeat the answer.
RETRY_AFTER_SECONDS = "1"
IDEMPOTENCY_KEY = idempotency_key(
    "A value that the client chooses for this upload. A repeated request with the same value returns the "
    "first scan instead of storing a second.",
)
LOCATION = OpenApiParameter(
    "Location", {"type": "string", "format": "uri"}, OpenApiParameter.HEADER, description="URL of the scan.",
    response=[200, 202],
)  # fmt: skip
POLL_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds to wait before asking for the result; missing when the analysis has finished.",
    response=[200, 202],
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier response. The answer is 304 without a body while the image is the same.",
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description="The version of the image, for `If-None-Match`.",
    response=[200, 304],
)
IMAGE_PARAMETERS = [IF_NONE_MATCH, ETAG, RETRY_AFTER]
PNG = {
    (200, "image/png"): OpenApiResponse(OpenApiTypes.BINARY, description="The image."),
    304: OpenApiResponse(description="The client has this version of the image."),
}
IMAGE_ACTIONS = ("image", "thumbnail", "saliency")


class ScanViewSet(PrivateView, ListModelMixin, GenericViewSet[Scan]):
    """Scans of the caller and of the caller's teams."""

    serializer_class = ScanSerializer
    queryset = Scan.objects.none()  # For the schema; every request reads through the selectors.
    pagination_class = NewestFirst
    filterset_class = ScanFilter
    parser_classes = (MultiPartParser, FormParser, JSONParser)

    def get_object(self) -> Scan:
        """Return one visible scan. Raise `Http404` if there is none."""
        try:
            return get_scan(self.request.user, self.kwargs["pk"])  # type: ignore[arg-type]
        except Scan.DoesNotExist as error:
            raise Http404 from error

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return the renderer. The `Accept` header is ignored, since an image has only one type."""
        return super().perform_content_negotiation(request, force or self.action in IMAGE_ACTIONS)

    @extend_schema(
        parameters=[ScanQuery, RETRY_AFTER],
        responses={200: ScanSerializer(many=True)} | errors(400, status_404="The cursor is not valid."),
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the scans that the caller can see, newest first.

        An unknown, repeated or invalid query parameter is an error; it is never ignored.
        """
        criteria = criteria_of(self._checked_query(ScanQuery))
        scans = ScanList(scope_of(request.user), criteria)  # type: ignore[arg-type]
        page: list[Scan] = self.paginate_queryset(scans) or []  # type: ignore[arg-type]  # loads like a queryset
        shown = [scan.current_analysis for scan in page if scan.current_analysis is not None]
        context = {**self.get_serializer_context(), "positions": positions_of(shown)}
        return self.get_paginated_response(ScanSerializer(page, many=True, context=context).data)

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        parameters=[IDEMPOTENCY_KEY, LOCATION, POLL_AFTER, RETRY_AFTER],
        responses={
            200: OpenApiResponse(
                SubmittedScanSerializer, description="The Idempotency-Key was used for this image before."
            ),
            202: OpenApiResponse(SubmittedScanSerializer, description="The scan is stored and its analysis queued."),
        }
        | errors(
            *(400, 413, 415, 422, 503, 507),
            status_403="The session has no CSRF token.",
            status_404="The batch belongs to someone else.",
            status_409="The Idempotency-Key was used for another image.",
        ),
    )
    def create(self, request: Request) -> Response:
        """Upload an image and queue its analysis."""
        upload = UploadSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        fields = dict(upload.validated_data)
        image, batch_id = fields.pop("image"), fields.pop("batch")
        submission = submit_scan(
            owner=request.user,  # type: ignore[arg-type]
            file=image.file,
            place=None if batch_id is None else self._place(batch_id, name=image.name or "", fields=fields),
            idempotency_key=request.headers.get("Idempotency-Key", ""),
            **fields,
        )
        context = {**self.get_serializer_context(), "earlier": submission.earlier}
        return Response(
            SubmittedScanSerializer(submission.scan, context=context).data,
            status=status.HTTP_200_OK if submission.replayed else status.HTTP_202_ACCEPTED,
            headers={
                "Location": reverse("api:scan-detail", args=[submission.scan.pk], request=request),
                "Retry-After": RETRY_AFTER_SECONDS,
            },
        )

    @extend_schema(
        parameters=[PREFER, PREFERENCE_APPLIED, POLL_AFTER, RETRY_AFTER],
        responses={200: ScanSerializer} | errors(404, status_409=SEALED),
    )
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Return one scan with its current analysis."""
        scan = self.get_object()
        seconds = wait_seconds(request.headers.get("Prefer", ""))
        headers = {"Vary": "Prefer"}
        if seconds and scan.current_analysis is not None:
            with waiting_slot(int(request.user.pk or 0)) as may_wait:
                if may_wait:
                    scan.current_analysis = _waited_for(scan.current_analysis, seconds=seconds)
                    headers["Preference-Applied"] = f"wait={seconds}"
        if scan.current_analysis is not None and scan.current_analysis.sealed:
            raise Sealed
        if scan.current_analysis is not None and not scan.current_analysis.is_finished:
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(self.get_serializer(scan).data, headers=headers)

    @extend_schema(
        parameters=[RETRY_AFTER],
        responses={204: OpenApiResponse(description="The scan is deleted.")}
        | errors(404, status_403="The caller is not the owner of the scan, or the session has no CSRF token."),
    )
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Delete a scan with its analyses and files. Only its owner can do this."""
        delete_scan(self.get_object(), by=request.user)  # type: ignore[arg-type]
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(parameters=IMAGE_PARAMETERS, responses=PNG | errors(404))
    def image(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the canonical image, an 8-bit grayscale PNG."""
        return scan_files.image_response(request, self.get_object())

    @extend_schema(parameters=IMAGE_PARAMETERS, responses=PNG | errors(404))
    def thumbnail(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the thumbnail, an 8-bit grayscale PNG."""
        return scan_files.thumbnail_response(request, self.get_object())

    @extend_schema(
        responses=PNG
        | errors(
            400,
            status_404="The scan or the analysis does not exist, or the analysis has no map of this finding.",
            status_409=f"{SEALED} Or it is withheld because of the image (code `withheld`).",
        ),
        parameters=[SaliencyQuery, *IMAGE_PARAMETERS],
    )
    def saliency(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the saliency map of an analysis, by default the current one.

        The map is an RGBA PNG of the same size as the image, to be drawn over it. It shows where the evidence for a
        finding lies. `notumor` has no location and therefore no map.
        """
        query = self._checked_query(SaliencyQuery)
        return scan_files.saliency_response(
            request, self.get_object(), analysis_id=query.get("analysis"), finding=query.get("finding", "")
        )

    @extend_schema(
        parameters=[RETRY_AFTER], responses={200: AnalysisSerializer(many=True)} | errors(404, status_409=SEALED)
    )
    def analyses(self, request: Request, pk: UUID) -> Response:
        """List all analyses of a scan, newest first."""
        rows = list(scan_analyses(request.user, self.get_object()))  # type: ignore[arg-type]
        if any(row.sealed for row in rows):
            raise Sealed
        context = {**self.get_serializer_context(), "positions": positions_of(rows)}
        return Response(AnalysisSerializer(rows, many=True, context=context).data)

    @extend_schema(
        parameters=[RETRY_AFTER],
        request=NewAnalysisSerializer,
        responses={202: OpenApiResponse(AnalysisSerializer, description="The analysis is queued.")}
        | errors(
            *(400, 404, 413, 415),
            status_403="The session has no CSRF token.",
            status_409="An analysis with the same model is queued or running.",
        ),
    )
    def analyze(self, request: Request, pk: UUID) -> Response:
        """Analyze a scan again, with the same or another model."""
        scan = self.get_object()
        fields = NewAnalysisSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        analysis = request_analysis(scan, by=request.user, model=fields.validated_data["model"])  # type: ignore[arg-type]
        body = AnalysisSerializer(analysis, context=self.get_serializer_context()).data
        return Response(body, status=status.HTTP_202_ACCEPTED)

    def _place(self, batch_id: UUID, *, name: str, fields: dict[str, Any]) -> Place:
        batch = open_batch(
            batch_id,
            owner=self.request.user,  # type: ignore[arg-type]
            team=fields["team"],
            patient_reference=fields["patient_reference"],
        )
        return Place(batch, name=name)

    def _checked_query(self, kind: type[QuerySerializer]) -> dict[str, Any]:
        query = kind(data=self.request.query_params, context=self.get_serializer_context())
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)


def _waited_for(analysis: Analysis, *, seconds: float) -> Analysis:
    try:
        return wait_until_finished(analysis, seconds=seconds)
    except Analysis.DoesNotExist as error:
        raise Http404 from error
