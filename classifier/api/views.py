"""REST: parse, call one service or selector, render."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.mixins import ListModelMixin
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from classifier import scan_files
from classifier.api.preferences import MAX_WAIT_SECONDS, wait_seconds
from classifier.api.serializers import (
    AnalysisSerializer,
    NewAnalysisSerializer,
    ScanSerializer,
    SubmittedScanSerializer,
    UploadSerializer,
)
from classifier.api.waiting import place_to_wait
from classifier.models import Analysis, Scan
from classifier.selectors.analysis import get_analysis, wait_until_finished
from classifier.selectors.history import ScanFilter
from classifier.selectors.scan import get_scan, scan_analyses, visible_scans
from classifier.services.analysis import cancel_analysis, request_analysis
from classifier.services.scan import delete_scan, submit_scan

# An analysis takes about a second: asking sooner than this is asking twice.
RETRY_AFTER_SECONDS = "1"
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description=f"`wait=N` answers as soon as the analysis ends, at the latest after N seconds (≤ {MAX_WAIT_SECONDS}).",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A value of the caller's own for this upload: sending it again returns the first scan, not a second.",
)
PNG = {(200, "image/png"): OpenApiTypes.BINARY}


class NewestFirst(CursorPagination):
    """Pages whose cost does not grow with their distance from the first."""

    page_size = 50
    page_size_query_param = "page_size"
    # A page of thumbnails and results; more would make one request hold a database connection for long.
    max_page_size = 200
    ordering = ("-created_at", "-id")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return a page. A cursor that this API never gave is a 404, like a page that is not there."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, ValidationError) as error:
            raise NotFound("There is no such page.") from error


class PrivateAnswers(APIView):
    """What the API tells a person is kept by no cache. Pictures say themselves what may be kept."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the header."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class UnknownAddress(PrivateAnswers):
    """Every other address under `/api/v1/`, so that a mistyped one is answered in the API's own shape."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Say that there is nothing here, whatever the method; to strangers, that they are strangers."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is no such address.")


class ScanViewSet(PrivateAnswers, ListModelMixin, GenericViewSet[Scan]):
    """Scans: the caller's own and those of their teams."""

    serializer_class = ScanSerializer
    queryset = Scan.objects.none()  # for the schema; every request reads through `get_queryset`
    pagination_class = NewestFirst
    filterset_class = ScanFilter
    parser_classes = (MultiPartParser, FormParser, JSONParser)

    def get_queryset(self) -> QuerySet[Scan]:
        """What the caller may see."""
        return visible_scans(self.request.user)  # type: ignore[arg-type]

    def get_object(self) -> Scan:
        """One visible scan, or 404."""
        try:
            return get_scan(self.request.user, self.kwargs["pk"])  # type: ignore[arg-type]
        except Scan.DoesNotExist as error:
            raise Http404 from error

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        parameters=[IDEMPOTENCY_KEY],
        responses={202: SubmittedScanSerializer},
    )
    def create(self, request: Request) -> Response:
        """Store an image and queue its analysis.

        The answer has the scan's address in `Location`. `200` instead of `202` means that the Idempotency-Key had
        already been used for this image.
        """
        upload = UploadSerializer(data=request.data, context=self.get_serializer_context())
        upload.is_valid(raise_exception=True)
        fields = dict(upload.validated_data)
        submission = submit_scan(
            owner=request.user,  # type: ignore[arg-type]
            file=fields.pop("image").file,
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

    @extend_schema(parameters=[PREFER])
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """One scan with its current analysis."""
        scan = self.get_object()
        seconds = wait_seconds(request.headers.get("Prefer", ""))
        headers = {"Vary": "Prefer"}
        if seconds and scan.current_analysis is not None:
            with place_to_wait(int(request.user.pk or 0)) as may_wait:
                if may_wait:
                    scan.current_analysis = _waited_for(scan.current_analysis, seconds=seconds)
                    headers["Preference-Applied"] = f"wait={seconds}"
        if scan.current_analysis is not None and not scan.current_analysis.is_finished:
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(self.get_serializer(scan).data, headers=headers)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Delete a scan with its analyses and files. Its owner only."""
        delete_scan(self.get_object(), by=request.user)  # type: ignore[arg-type]
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=PNG)
    def image(self, request: Request, pk: UUID) -> HttpResponse:
        """The canonical image: 8-bit grayscale PNG."""
        return scan_files.image_response(self.get_object())

    @extend_schema(responses=PNG)
    def thumbnail(self, request: Request, pk: UUID) -> HttpResponse:
        """The thumbnail: 8-bit grayscale PNG."""
        return scan_files.thumbnail_response(self.get_object())

    @extend_schema(
        responses=PNG,
        parameters=[OpenApiParameter("finding", str, description="The finding to show; default: the one named.")],
    )
    def saliency(self, request: Request, pk: UUID) -> HttpResponse:
        """Where the class evidence lies: an RGBA overlay for the image. 404 where there is nothing to show."""
        scan = self.get_object()
        if scan.current_analysis is None:
            raise Http404
        return scan_files.saliency_response(
            scan, scan.current_analysis, finding=request.query_params.get("finding", "")
        )

    @extend_schema(responses=AnalysisSerializer(many=True), filters=False)
    def analyses(self, request: Request, pk: UUID) -> Response:
        """All analyses of a scan, newest first."""
        rows = scan_analyses(request.user, self.get_object())  # type: ignore[arg-type]
        return Response(AnalysisSerializer(rows, many=True, context=self.get_serializer_context()).data)

    @extend_schema(request=NewAnalysisSerializer, responses={202: AnalysisSerializer})
    def analyse(self, request: Request, pk: UUID) -> Response:
        """Analyse again, with the same or another model. 409 while such an analysis waits or runs."""
        scan = self.get_object()
        wish = NewAnalysisSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        analysis = request_analysis(scan, by=request.user, model=wish.validated_data["model"])  # type: ignore[arg-type]
        answer = AnalysisSerializer(analysis, context=self.get_serializer_context())
        return Response(answer.data, status=status.HTTP_202_ACCEPTED)


class AnalysisViewSet(PrivateAnswers, GenericViewSet[Analysis]):
    """Analyses of visible scans."""

    serializer_class = AnalysisSerializer
    queryset = Analysis.objects.none()  # for the schema; requests read through the selector

    @extend_schema(request=None)
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Take a queued analysis out of the queue. 409 when it has already started."""
        try:
            analysis = get_analysis(request.user, pk)  # type: ignore[arg-type]
        except Analysis.DoesNotExist as error:
            raise Http404 from error
        cancel_analysis(analysis, by=request.user)  # type: ignore[arg-type]
        try:
            analysis.refresh_from_db()
        except Analysis.DoesNotExist as error:
            raise Http404 from error
        return Response(self.get_serializer(analysis).data)


def _waited_for(analysis: Analysis, *, seconds: float) -> Analysis:
    try:
        return wait_until_finished(analysis, seconds=seconds)
    except Analysis.DoesNotExist as error:
        raise Http404 from error
