"""REST views of explanations."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.fields import TextField
from classifier.api.reviews import LISTED, StatementViewSet, created
from classifier.api.schema import RETRY_AFTER
from classifier.api.views import SEALED
from classifier.assistant.builtin import PROVIDER
from classifier.assistant.requests import request_explanation
from classifier.models import Explanation
from classifier.selectors.explanation import explanations_of


class ExplanationSerializer(serializers.ModelSerializer[Explanation]):
    """A machine-written text about the result of an analysis."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    analysis = serializers.UUIDField(source="analysis_id", read_only=True, help_text="The analysis.")

    class Meta:
        model = Explanation
        fields = ("id", "scan", "analysis", "provider", "model", "text", "created_at")
        read_only_fields = fields


class ProviderField(TextField):
    """Name of a provider. Unlike its base in JSON, a number is no text."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NewExplanationSerializer(serializers.Serializer[Any]):
    """The body of a request for an explanation."""

    provider = ProviderField(
        default=PROVIDER, max_length=64, help_text=f"Name of the provider. “{PROVIDER}” is always there."
    )


class ExplanationViewSet(StatementViewSet):
    """Explanations of a scan."""

    serializer_class = ExplanationSerializer
    queryset = Explanation.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(parameters=[RETRY_AFTER], responses={200: ExplanationSerializer(many=True)} | LISTED)
    def list(self, request: Request, pk: UUID) -> Response:
        """List the explanations of a scan, newest first."""
        rows = explanations_of(request.user, self.open_scan(pk))  # type: ignore[arg-type]
        return Response(ExplanationSerializer(rows, many=True).data)

    @extend_schema(
        request=NewExplanationSerializer,
        parameters=[RETRY_AFTER],
        responses=created(
            ExplanationSerializer,
            "The explanation. An equal one that exists already is returned as it is.",
            conflict=f"{SEALED} Or the current analysis has no result (`no_result`), or the scan was deleted "
            "(`scan_deleted`).",
        ),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Explain the current result of a scan. The built-in explanation is ready at once."""
        scan = self.scan(pk)
        fields = NewExplanationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        explanation = request_explanation(scan, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        return Response(ExplanationSerializer(explanation).data, status=status.HTTP_201_CREATED)
