"""REST view of the explanation in a draft."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.base import PrivateView
from classifier.api.fields import TextField
from classifier.api.report_serializers import ReportSerializer, draft_data
from classifier.api.reports import CSRF, caller, own_report
from classifier.api.schema import RETRY_AFTER, errors
from classifier.assistant.report_section import choose, edit
from classifier.models import Explanation, Report, Scan, User
from classifier.models.report import MAX_TEXT
from classifier.selectors.explanation import get_explanation
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Sealed
from classifier.services.report import SIGNED
from classifier.services.report_explanation import remove_explanation

CONFLICT = (
    "The report is signed, the explanation is about an earlier analysis (`earlier_analysis`), its statements are still "
    "being checked (`not_checked_yet`), it has no text (`no_text`), the draft has no explanation (`no_explanation`), "
    "or the result is sealed."
)
MISSING = "The report does not exist, is not the caller's, or its scan has no such explanation (`unknown_explanation`)."
REFUSED = errors(*(400, 413, 415), status_403=CSRF, status_404=MISSING, status_409=CONFLICT)


class ChosenExplanationSerializer(serializers.Serializer[Any]):
    """The explanation that a report is to hold."""

    explanation = serializers.UUIDField(
        help_text="Identifier of a succeeded explanation of the scan, the built-in one included."
    )


class ExplanationTextSerializer(serializers.Serializer[Any]):
    """The edited text of the explanation."""

    text = TextField(
        max_length=MAX_TEXT,
        help_text="Markdown. Figures stay those of the original sentence, and a mark stays with its statement.",
    )


class ReportExplanationView(PrivateView):
    """The explanation in a draft of the caller."""

    @extend_schema(
        operation_id="reports_explanation_update",
        parameters=[RETRY_AFTER],
        request=ChosenExplanationSerializer,
        responses={200: ReportSerializer} | REFUSED,
    )
    def put(self, request: Request, pk: UUID) -> Response:
        """Make an explanation of the scan the section of the draft, in place of an earlier one."""
        user, (_, scan) = caller(request), _draft(request, pk)
        body = ChosenExplanationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            explanation = get_explanation(user, scan, body.validated_data["explanation"])
        except Explanation.DoesNotExist as error:
            raise NotFound("The scan has no such explanation.", code="unknown_explanation") from error
        return _answer(user, choose(scan, by=user, explanation=explanation))

    @extend_schema(
        operation_id="reports_explanation_partial_update",
        parameters=[RETRY_AFTER],
        request=ExplanationTextSerializer,
        responses={200: ReportSerializer} | REFUSED,
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Edit the text. An edit that changes a figure or contradicts the analysis is refused with `contradicts`."""
        user, (report, scan) = caller(request), _draft(request, pk)
        body = ExplanationTextSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return _answer(user, edit(scan, report, by=user, text=body.validated_data.get("text", "")))

    @extend_schema(
        operation_id="reports_explanation_destroy",
        parameters=[RETRY_AFTER],
        responses={204: None} | errors(404, status_403=CSRF, status_409="The report is signed."),
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Remove the explanation from the draft."""
        user = caller(request)
        remove_explanation(own_report(user, pk), by=user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _draft(request: Request, pk: UUID) -> tuple[Report, Scan]:
    """Return a draft of the caller with its scan, whose result is open to them."""
    user = caller(request)
    report = own_report(user, pk)
    if report.state == Report.State.SIGNED:
        raise Conflict(SIGNED, code="signed")
    scan = get_scan(user, report.scan_id)
    if scan.sealed:
        raise Sealed
    return report, scan


def _answer(user: User, report: Report) -> Response:
    return Response(ReportSerializer(draft_data(own_report(user, report.pk))).data)
