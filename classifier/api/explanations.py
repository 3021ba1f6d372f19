"""REST views of explanations."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from classifier.api.base import PREFER, PREFERENCE_APPLIED, SEALED
from classifier.api.fields import TextField, TrueOrFalse
from classifier.api.preferences import wait_seconds
from classifier.api.reviews import LISTED, StatementViewSet, created
from classifier.api.schema import RETRY_AFTER
from classifier.assistant.builtin import PROVIDER
from classifier.assistant.look import REASONS
from classifier.assistant.look_words import look_of
from classifier.assistant.requests import request_explanation
from classifier.assistant.statements import MARKS
from classifier.models import Explanation, lengths
from classifier.queue.waiting_slots import waiting_slot
from classifier.selectors.explanation import explanations_of, get_explanation, wait_until_explained

# A language model takes seconds, so an earlier request would only repeat the answer.
RETRY_AFTER_SECONDS = "2"
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="URL of the explanation.",
    response=[201, 202],
)
POLL_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds to wait before asking for the text; missing when the explanation has finished.",
    response=[200, 202],
)


class StatementSerializer(serializers.Serializer[Any]):
    """A statement about the picture, and whether it depends on the picture."""

    text = serializers.CharField(read_only=True)
    mark = serializers.ChoiceField(
        choices=[(mark, mark) for mark in MARKS],
        read_only=True,
        help_text="Passing means that the statement depends on the picture, not that it is correct.",
    )
    reason = serializers.CharField(
        read_only=True, allow_blank=True, help_text="Why it is not from the picture; empty otherwise."
    )


class PictureCheckSerializer(serializers.Serializer[Any]):
    """The check of an explanation's statements about the picture."""

    state = serializers.ChoiceField(
        choices=[(state, state) for state in ("pending", "done", "failed", "off", "none")],
        read_only=True,
        help_text="`pending`: marks will follow. `off`: staff have switched the check off. `none`: the text has no "
        "statement about the picture.",
    )
    sentence = serializers.CharField(read_only=True, help_text="What was found, for people.")
    statements = StatementSerializer(many=True, read_only=True, help_text="Empty unless the check is done.")


class ExplanationSerializer(serializers.ModelSerializer[Explanation]):
    """A machine-written text about the result of an analysis."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    analysis = serializers.UUIDField(source="analysis_id", read_only=True, help_text="The analysis.")
    state = serializers.ChoiceField(choices=Explanation.State.choices, read_only=True)
    ai_generated = serializers.SerializerMethodField(help_text="Whether a language model wrote the text.")
    removed_sentences = serializers.SerializerMethodField(
        help_text="How many sentences were removed because they contradicted the analysis."
    )

    picture_check = serializers.SerializerMethodField(
        help_text="The check of the statements about the picture; null without the image. `text` has the marks, too."
    )

    class Meta:
        model = Explanation
        fields = (
            "id",
            "scan",
            "analysis",
            "provider",
            "model",
            "state",
            "ai_generated",
            "text",
            "removed_sentences",
            "with_image",
            "picture_check",
            "failure_message",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields
        extra_kwargs = {  # noqa: RUF012 - as Django REST framework documents it
            "text": {
                "help_text": "Markdown; empty until `state` is `succeeded`. Pages show finished sentences of a text "
                "that is still being written; responses never contain them."
            },
            "failure_message": {"help_text": "Why there is no text; empty otherwise."},
        }

    def get_ai_generated(self, row: Explanation) -> bool:
        """Return False for the built-in explanation."""
        return row.provider != PROVIDER

    @extend_schema_field(PictureCheckSerializer(allow_null=True))
    def get_picture_check(self, row: Explanation) -> dict[str, Any] | None:
        """Return the check; None if the image was not sent, or there is no text."""
        look = look_of(row)
        if look is None:
            return None
        statements = row.second_look.statements if look.state == "done" and row.second_look else []
        judged = [
            {"text": each["text"], "mark": each["mark"], "reason": REASONS.get(each["reason"], "")}
            for each in statements
        ]
        return PictureCheckSerializer({"state": look.state, "sentence": look.sentence, "statements": judged}).data

    def get_removed_sentences(self, row: Explanation) -> int:
        """Return the number of removed sentences."""
        return len(row.blocked)


class ProviderField(TextField):
    """Name of a provider. Unlike its base in JSON, a number is not text."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NewExplanationSerializer(serializers.Serializer[Any]):
    """The body of a request for an explanation."""

    provider = ProviderField(
        default=PROVIDER,
        max_length=lengths.PROVIDER_NAME,
        help_text=f"Name of an enabled provider. “{PROVIDER}” is always there and sends nothing.",
    )
    with_image = TrueOrFalse(default=False, help_text="Whether the image is sent to the provider, if staff allow it.")


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
        parameters=[LOCATION, POLL_AFTER, RETRY_AFTER],
        responses={
            202: OpenApiResponse(
                ExplanationSerializer, description="The request is queued. Ask for the text at `Location`."
            )
        }
        | created(
            ExplanationSerializer,
            "The built-in explanation. An equal one that exists already is returned as it is.",
            conflict=f"{SEALED} Or the current analysis has no result (`no_result`), the caller already waits for an "
            "explanation (`already_requested`) or has used up the limit (`rate_limit`), or the scan was deleted "
            "(`scan_deleted`).",
        ),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Explain the current result of a scan. The built-in explanation is ready at once; a model's is queued."""
        scan = self.scan(pk)
        fields = NewExplanationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        explanation = request_explanation(scan, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        headers = {
            "Location": reverse("api:scan-explanation", args=[scan.pk, explanation.pk], request=request),
        }
        if explanation.is_finished:
            return Response(ExplanationSerializer(explanation).data, status=status.HTTP_201_CREATED, headers=headers)
        headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(ExplanationSerializer(explanation).data, status=status.HTTP_202_ACCEPTED, headers=headers)


class ExplanationView(StatementViewSet):
    """One explanation."""

    serializer_class = ExplanationSerializer
    queryset = Explanation.objects.none()

    @extend_schema(
        operation_id="scans_explanations_retrieve",
        parameters=[
            OpenApiParameter("explanation_id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH),
            PREFER,
            PREFERENCE_APPLIED,
            POLL_AFTER,
            RETRY_AFTER,
        ],
        responses={200: ExplanationSerializer} | LISTED,
    )
    def retrieve(self, request: Request, pk: UUID, explanation_id: UUID) -> Response:
        """Return an explanation; with `Prefer: wait=N`, as soon as it is finished."""
        scan = self.open_scan(pk)
        headers = {}
        try:
            row = get_explanation(request.user, scan, explanation_id)  # type: ignore[arg-type]
            seconds = wait_seconds(request.headers.get("Prefer", ""))
            if seconds and not row.is_finished:
                with waiting_slot(int(request.user.pk or 0)) as may_wait:
                    if may_wait:
                        row = wait_until_explained(row, seconds=seconds)
                        headers["Preference-Applied"] = f"wait={seconds}"
        except Explanation.DoesNotExist as error:
            raise Http404 from error
        if not row.is_finished:
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(ExplanationSerializer(row).data, headers=headers)
