"""REST views of files of reports that jobs make."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from classifier import report_files
from classifier.api.base import PrivateView
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import ReportArchive, User
from classifier.selectors.report_archive import report_archives
from classifier.services.report_archive import KEPT, delete_archive

# A report takes about a second.
RETRY_AFTER_SECONDS = "2"
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="URL of the job that makes the file.",
    response=[202],
)
POLL_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds to wait before asking for the job; missing when it has finished.",
    response=[200, 202],
)


class ReportArchiveSerializer(serializers.ModelSerializer[ReportArchive]):
    """A job that makes a file of reports."""

    url = serializers.SerializerMethodField(help_text="URL of the job.")
    kind = serializers.ChoiceField(choices=ReportArchive.Kind.choices, read_only=True)
    state = serializers.ChoiceField(choices=ReportArchive.State.choices, read_only=True)
    left_out = serializers.SerializerMethodField(
        help_text="How many scans have no report in the file. `contents.txt` in a ZIP file says which and why."
    )
    file = serializers.SerializerMethodField(help_text="URL of the file; null until `state` is `succeeded`.")
    expires_at = serializers.SerializerMethodField(help_text="When job and file are removed; null before it has ended.")

    class Meta:
        model = ReportArchive
        fields = (
            "id",
            "url",
            "kind",
            "title",
            "state",
            "done",
            "total",
            "left_out",
            "bytes",
            "file",
            "failure_message",
            "created_at",
            "finished_at",
            "expires_at",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "done": {"help_text": "How many reports are finished."},
            "total": {"help_text": "How many reports the file will hold; 1 for a PDF file."},
            "failure_message": {"help_text": "Why there is no file; empty otherwise."},
        }

    def get_url(self, row: ReportArchive) -> str:
        """Return the absolute URL of the job."""
        return reverse("api:report-file", args=[row.pk], request=self.context["request"])

    def get_left_out(self, row: ReportArchive) -> int:
        """Return the number of scans without a report."""
        return len(row.left_out)

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_file(self, row: ReportArchive) -> str | None:
        """Return the absolute URL of the file, if it is ready."""
        if row.state != ReportArchive.State.SUCCEEDED:
            return None
        return reverse("api:report-file-content", args=[row.pk], request=self.context["request"])

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_expires_at(self, row: ReportArchive) -> str | None:
        """Return when the job is removed, in ISO 8601."""
        return (
            None if row.finished_at is None else serializers.DateTimeField().to_representation(row.finished_at + KEPT)
        )


class ReportArchiveView(PrivateView):
    """A job that makes a file of reports."""

    @extend_schema(
        operation_id="report_files_retrieve",
        parameters=[POLL_AFTER, RETRY_AFTER],
        responses={200: ReportArchiveSerializer} | errors(404),
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
        parameters=[RETRY_AFTER],
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
    assert isinstance(request.user, User)
    try:
        return report_archives(request.user).select_related("owner").get(pk=pk)
    except ReportArchive.DoesNotExist as error:
        raise Http404 from error


def job_response(request: Request, archive: ReportArchive, *, status_code: int = status.HTTP_200_OK) -> Response:
    """Return a job as a response, with `Retry-After` until it has finished."""
    data = ReportArchiveSerializer(archive, context={"request": request}).data
    response = Response(data, status=status_code)
    if not archive.is_finished:
        response["Retry-After"] = RETRY_AFTER_SECONDS
    if status_code == status.HTTP_202_ACCEPTED:
        response["Location"] = data["url"]
    return response
