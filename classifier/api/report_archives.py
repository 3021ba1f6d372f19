"""REST views of files of reports that jobs make."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier import report_files
from classifier.api.base import PrivateView, idempotency_key
from classifier.api.pagination import CursorPages
from classifier.api.parsers import JSONParser
from classifier.api.queries import PageQuery
from classifier.api.report_archive_serializers import (
    NEW_REPORT_ARCHIVE,
    ReportArchiveDetailSerializer,
    ReportArchiveSerializer,
    hash_of,
    new_report_archive,
)
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import ReportArchive, User
from classifier.selectors.report_archive import report_archives
from classifier.services.report_archive import delete_archive
from classifier.services.report_request import (
    MAX_ACTIVE_ZIPS,
    MAX_KEPT_BYTES,
    MAX_SCANS,
    NO_KEY,
    ClientRequest,
    archive_of_request,
    request_archive,
)

# A report takes about a second.
RETRY_AFTER_SECONDS = "2"
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="URL of the job that makes the file.",
    response=[202],
)
LOCATION_OF_REQUEST = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="URL of the job that makes the file.",
    response=[200, 202],
)
DISPOSITION = OpenApiParameter(
    "Content-Disposition",
    str,
    OpenApiParameter.HEADER,
    description="`attachment` with the name of the file.",
    response=[200],
)
IDEMPOTENCY_KEY = idempotency_key(
    "A value that the client chooses for this request. As long as its job exists, a repeated request with the same "
    "value returns that job instead of starting a second."
)
POLL_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds to wait before asking for the job; missing when it has finished.",
    response=[200, 202],
)


class NewestRequested(CursorPages):
    """Pages of jobs, newest first."""

    ordering = ("-created_at", "-pk")


class ReportArchiveViewSet(PrivateView, GenericViewSet[ReportArchive]):
    """The caller's jobs, and requests for ZIP files."""

    serializer_class = ReportArchiveSerializer
    queryset = ReportArchive.objects.none()  # For the schema; every request reads through the selector.
    pagination_class = NewestRequested
    filterset_class = None
    parser_classes = (JSONParser,)

    @extend_schema(
        operation_id="report_files_list",
        parameters=[PageQuery, RETRY_AFTER],
        responses={200: ReportArchiveSerializer(many=True)} | errors(400, status_404="The cursor is not valid."),
    )
    def list(self, request: Request) -> Response:
        """List the caller's jobs that make files of reports, newest first."""
        PageQuery(data=request.query_params).is_valid(raise_exception=True)
        page = self.paginate_queryset(report_archives(_caller(request))) or []
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="report_files_create",
        request=NEW_REPORT_ARCHIVE,
        parameters=[IDEMPOTENCY_KEY, LOCATION_OF_REQUEST, POLL_AFTER, RETRY_AFTER],
        responses={
            200: OpenApiResponse(
                ReportArchiveDetailSerializer, description="The Idempotency-Key was used for this request before."
            ),
            202: OpenApiResponse(ReportArchiveDetailSerializer, description="The job is queued."),
        }
        | errors(
            *(413, 415),
            status_400="A field is invalid, no scan is selected (`no_scans`), or more than "
            f"{MAX_SCANS:,} are (`too_many_scans`).",
            status_403="The session has no CSRF token.",
            status_404="The batch does not exist, or the caller is not allowed to see it.",
            status_409=f"The caller already waits for {MAX_ACTIVE_ZIPS} ZIP files, or keeps more than "
            f"{MAX_KEPT_BYTES // 1000**3} GB of files (`too_many_archives`); or the Idempotency-Key was used for "
            "another request (`idempotency_key_reused`).",
        ),
    )
    def create(self, request: Request) -> Response:
        """Request the reports of up to 5,000 scans as one ZIP file, which a job makes in the background.

        The body selects the scans with exactly one of `scans`, `batch`, `patient_reference`, and `filters`. Sealed
        scans, and scans that the caller cannot see, are left out of the file: `left_out_scans` of the job names them.
        """
        user = _caller(request)
        body = new_report_archive(request.data, context=self.get_serializer_context())
        key = request.headers.get("Idempotency-Key", "")
        asked = ClientRequest(key, hash_of(body)) if key else NO_KEY
        if (earlier := archive_of_request(user, asked)) is not None:
            return job_response(request, earlier)
        archive = request_archive(user, body.selection(user), request=asked)
        return job_response(request, archive, status_code=status.HTTP_202_ACCEPTED)


class ReportArchiveView(PrivateView):
    """A job that makes a file of reports."""

    @extend_schema(
        operation_id="report_files_retrieve",
        parameters=[POLL_AFTER, RETRY_AFTER],
        responses={200: ReportArchiveDetailSerializer} | errors(404),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the state of a job of the caller, and how far it has come."""
        return job_response(request, own_archive(request, pk))

    @extend_schema(
        operation_id="report_files_destroy",
        parameters=[RETRY_AFTER],
        responses={204: OpenApiResponse(description="The job and its file are deleted.")}
        | errors(404, status_403="The session has no CSRF token."),
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete a file, or cancel the job that makes it."""
        delete_archive(own_archive(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReportArchiveFileView(PrivateView):
    """The file that a job has made. The `Accept` header is ignored, since a job has one type."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return a renderer for errors."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="report_files_file",
        parameters=[DISPOSITION, RETRY_AFTER],
        responses={
            (200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, description="The file."),
            (200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, description="The file."),
        }
        | errors(
            404,
            status_409="The file is not ready (`unfinished`), or a scan in it was deleted, sealed, or is no longer "
            "visible to the caller (`changed`).",
        ),
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the file of a job: PDF, or ZIP for the reports of many scans."""
        archive = own_archive(request, pk)
        return report_files.archive_response(archive.owner, archive)


def own_archive(request: Request, pk: UUID) -> ReportArchive:
    """Return a job of the caller. Raise `Http404` for any other."""
    try:
        return report_archives(_caller(request)).select_related("owner").get(pk=pk)
    except ReportArchive.DoesNotExist as error:
        raise Http404 from error


def job_response(request: Request, archive: ReportArchive, *, status_code: int = status.HTTP_200_OK) -> Response:
    """Return a job as a response, with `Location` for a request of it, and with `Retry-After` until it has finished."""
    data = ReportArchiveDetailSerializer(archive, context={"request": request}).data
    response = Response(data, status=status_code)
    if not archive.is_finished:
        response["Retry-After"] = RETRY_AFTER_SECONDS
    if request.method == "POST" or status_code == status.HTTP_202_ACCEPTED:
        response["Location"] = data["url"]
    return response


def _caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
