"""REST views of reports: files with the facts of a scan, and the texts of drafts and signed reports."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from classifier import report_files
from classifier.api.base import PrivateView
from classifier.api.errors import Unavailable
from classifier.api.report_archive_serializers import ReportArchiveDetailSerializer
from classifier.api.report_archives import LOCATION, POLL_AFTER, job_response
from classifier.api.report_serializers import (
    ReportChangeSerializer,
    ReportSerializer,
    ReportTextsSerializer,
    draft_data,
    signed_data,
)
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Report, ReportArchive, Scan, SignedReport, User
from classifier.reports.html import ReportView as ReportContent
from classifier.reports.html import document, scan_report
from classifier.reports.pdf import PdfFailed
from classifier.selectors.report import draft_of, get_own_report, get_signed_report, signed_reports
from classifier.selectors.scan import get_scan
from classifier.services.errors import Sealed
from classifier.services.report import save_draft, update_report
from classifier.services.report_request import MAX_ACTIVE_PDFS

SEALED = "The result is sealed for the caller until they have recorded an impression."
CSRF = "The session has no CSRF token."
LATE = "The file takes longer than a request may wait. A job makes it; ask for it at `Location`."
FILE_OF = "The newest signed report of the scan with its addenda; without one, the facts as they are stored now."


class ReportUnavailable(Unavailable):
    """The server cannot make the file, for example for lack of a library."""

    default_code = "report_unavailable"
    default_detail = "The server could not create the PDF file; its log says why. `report.html` has the same content."


class ScanView(PrivateView):
    """A view of one visible scan."""

    def scan(self, pk: UUID) -> Scan:
        """Return the scan. Raise `Http404` if the caller cannot see it."""
        try:
            return get_scan(caller(self.request), pk)
        except Scan.DoesNotExist as error:
            raise Http404 from error


class ReportFileView(ScanView):
    """The report of a scan as a file. The `Accept` header is ignored, since each URL has one type."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return a renderer for errors."""
        return super().perform_content_negotiation(request, force=True)

    def report(self, request: Request, pk: UUID) -> tuple[Scan, ReportContent]:
        """Return the scan and the report on it."""
        scan = self.scan(pk)
        return scan, scan_report(caller(request), scan)


class ReportPdfView(ReportFileView):
    """The report of a scan as PDF."""

    @extend_schema(
        operation_id="scans_report_pdf",
        parameters=[LOCATION, POLL_AFTER, RETRY_AFTER],
        responses={
            (200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, description=FILE_OF),
            (202, "application/json"): OpenApiResponse(ReportArchiveDetailSerializer, description=LATE),
        }
        | errors(
            404,
            status_409=f"{SEALED} Or the caller already waits for {MAX_ACTIVE_PDFS} files (`too_many_archives`).",
            status_503="The database is unavailable, or the file cannot be made.",
        ),
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the report of a scan as a tagged PDF file.

        If it takes longer than a request may wait, a job makes it. Repeated requests are answered with the same job
        while it runs, and then with its file, as long as the report says the same.
        """
        scan, view = self.report(request, pk)
        try:
            made = report_files.report_pdf(caller(request), scan, view, name=f"Scan {scan.short_id}")
        except PdfFailed as error:
            raise ReportUnavailable from error
        if isinstance(made, ReportArchive):
            return job_response(request, made, status_code=status.HTTP_202_ACCEPTED)
        return made


class ReportHtmlView(ReportFileView):
    """The report of a scan as HTML."""

    @extend_schema(
        operation_id="scans_report_html",
        parameters=[RETRY_AFTER],
        responses={(200, "text/html"): OpenApiResponse(OpenApiTypes.STR, description=FILE_OF)}
        | errors(404, status_409=SEALED),
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Return the report of a scan as one HTML document, with its pictures inside."""
        scan, view = self.report(request, pk)
        return report_files.html_response(document(view), filename=f"report-scan-{scan.short_id}.html")


class ScanReportsView(ScanView):
    """The reports of a scan."""

    @extend_schema(
        operation_id="scans_reports_list",
        parameters=[RETRY_AFTER],
        responses={200: ReportSerializer(many=True)} | errors(404, status_409=SEALED),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """List the signed reports of a scan, newest first, after the caller's own draft."""
        scan = self.scan(pk)
        if scan.sealed:
            raise Sealed
        user = caller(request)
        draft = draft_of(user, scan)
        rows = [] if draft is None else [draft_data(draft)]
        rows += [signed_data(report) for report in signed_reports(user).filter(scan=scan)]
        return Response(ReportSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="scans_reports_create",
        parameters=[RETRY_AFTER],
        request=ReportTextsSerializer,
        responses={201: ReportSerializer}
        | errors(
            *(400, 404, 413, 415),
            status_403=CSRF,
            status_409="The caller has a draft already, or the result is sealed.",
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Store a draft. It is signed on its page, by its author in person."""
        scan = self.scan(pk)
        texts = ReportTextsSerializer(data=request.data)
        texts.is_valid(raise_exception=True)
        report = save_draft(scan, by=caller(request), texts=texts.validated_data, seen=0)
        return Response(ReportSerializer(draft_data(report)).data, status=status.HTTP_201_CREATED)


class ReportView(PrivateView):
    """One report."""

    @extend_schema(
        operation_id="reports_retrieve", parameters=[RETRY_AFTER], responses={200: ReportSerializer} | errors(404)
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a signed report, or a draft of the caller."""
        user = caller(request)
        try:
            return Response(ReportSerializer(signed_data(get_signed_report(user, pk))).data)
        except SignedReport.DoesNotExist:
            return Response(ReportSerializer(draft_data(own_report(user, pk))).data)

    @extend_schema(
        operation_id="reports_partial_update",
        parameters=[RETRY_AFTER],
        request=ReportChangeSerializer,
        responses={200: ReportSerializer}
        | errors(
            *(400, 404, 413, 415),
            status_403="The caller is not the author, or the session has no CSRF token.",
            status_409="The report is signed and is never changed, or the draft has another version.",
        ),
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change the texts of a draft. A signed report is never changed: add an addendum on its page."""
        user = caller(request)
        report = own_report(user, pk)
        change = ReportChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        texts = dict(change.validated_data)
        saved = update_report(report, by=user, seen=texts.pop("version", None), texts=texts)
        return Response(ReportSerializer(draft_data(saved)).data)


def own_report(user: User, pk: UUID) -> Report:
    """Return a report of the user, draft or signed. Raise `Http404` for any other."""
    try:
        return get_own_report(user, pk)
    except Report.DoesNotExist as error:
        raise Http404 from error


def caller(request: Request) -> User:
    """Return the person who makes a request."""
    assert isinstance(request.user, User)
    return request.user
