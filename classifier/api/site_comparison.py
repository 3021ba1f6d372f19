"""REST view that compares signed acceptance reports of several sites. Nothing is stored."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.acceptance.side_by_side import MAX_REPORTS, side_by_side
from classifier.acceptance.signature import SignedFile, UnusableReport, read_signed
from classifier.api.base import PrivateView
from classifier.api.parsers import JSONParser
from classifier.api.schema import RETRY_AFTER, errors


class SignedReportsSerializer(serializers.Serializer[Any]):
    """Signed acceptance reports, as `GET commissionings/{id}/acceptance/` of each site returns them."""

    reports = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MAX_REPORTS)


class ComparedFigureSerializer(serializers.Serializer[Any]):
    """One figure of each usable report."""

    # The base class has a property of that name.
    label = serializers.CharField(help_text="What is compared.")  # type: ignore[assignment]
    values = serializers.ListField(child=serializers.CharField(), help_text="One for each number in `compared`.")


class SiteComparisonSerializer(serializers.Serializer[Any]):
    """Reports side by side."""

    compared = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        help_text="Which of the reports are compared, counted from 1: those whose signature is valid.",
    )
    figures = ComparedFigureSerializer(many=True)
    problems = serializers.ListField(child=serializers.CharField(), help_text="A sentence for each other report.")


class SiteComparisonView(PrivateView):
    """The comparison of sites."""

    parser_classes = (JSONParser,)

    @extend_schema(
        operation_id="v1_commissionings_compare",
        request=SignedReportsSerializer,
        parameters=[RETRY_AFTER],
        responses={200: SiteComparisonSerializer}
        | errors(*(400, 413, 415), status_403="The session has no CSRF token."),
    )
    def post(self, request: Request) -> Response:
        """Compare signed acceptance reports: model, counts, verdict, and every figure with its interval."""
        fields = SignedReportsSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        usable: list[tuple[str, SignedFile]] = []
        problems = []
        for number, report in enumerate(fields.validated_data["reports"], start=1):
            try:
                usable.append((str(number), read_signed(json.dumps(report).encode())))
            except UnusableReport as error:
                problems.append(f"Report {number}: {error}")
        rows = side_by_side(usable).rows if usable else ()
        return Response(
            {
                "compared": [int(name) for name, _ in usable],
                "figures": [{"label": label, "values": list(values)} for label, values in rows],
                "problems": problems,
            }
        )
