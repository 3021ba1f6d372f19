"""REST views of conversations with a language model."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from classifier.api.base import PREFER, PREFERENCE_APPLIED, SEALED
from classifier.api.explanations import LOCATION, POLL_AFTER, RETRY_AFTER_SECONDS, ProviderField
from classifier.api.fields import TextField, TrueOrFalse
from classifier.api.preferences import wait_seconds
from classifier.api.reviews import LISTED, StatementViewSet, created
from classifier.api.schema import RETRY_AFTER, errors
from classifier.assistant.chat import ask, start_conversation
from classifier.models import Conversation, Message, Scan, lengths
from classifier.models.conversation import MAX_QUESTION
from classifier.queue.waiting_slots import waiting_slot
from classifier.selectors.conversation import (
    conversations_of,
    get_conversation,
    get_message,
    messages_of,
    wait_until_answered,
)
from classifier.services.conversation import delete_conversation, stop_answer


def path_id(name: str) -> OpenApiParameter:
    """Return the description of an identifier in the path."""
    return OpenApiParameter(name, {"type": "string", "format": "uuid"}, OpenApiParameter.PATH)


CONVERSATION, MESSAGE = path_id("conversation_id"), path_id("message_id")


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation of the caller about the result of an analysis."""

    scan = serializers.UUIDField(source="scan_id", read_only=True, help_text="The scan.")
    analysis = serializers.UUIDField(source="analysis_id", read_only=True, help_text="The analysis.")

    class Meta:
        model = Conversation
        fields = ("id", "scan", "analysis", "title", "provider", "model", "with_image", "created_at")
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A question with its answer, which a language model writes."""

    ai_generated = serializers.SerializerMethodField(help_text="Whether a language model wrote the answer.")

    class Meta:
        model = Message
        fields = (
            "id",
            "number",
            "question",
            "answer",
            "ai_generated",
            "state",
            "failure_message",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_ai_generated(self, row: Message) -> bool:
        """Return False for a fixed answer."""
        return not row.is_fixed


class NewConversationSerializer(serializers.Serializer[Any]):
    """The body of a new conversation."""

    provider = ProviderField(required=True, max_length=lengths.PROVIDER_NAME, help_text="Name of an enabled provider.")
    with_image = TrueOrFalse(default=False, help_text="Whether the image is sent to the provider, if staff allow it.")


class QuestionField(TextField):
    """A question. Unlike its base in JSON, a number is not text."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NewMessageSerializer(serializers.Serializer[Any]):
    """The body of a question."""

    question = QuestionField(
        required=True, allow_blank=False, min_length=1, max_length=MAX_QUESTION, help_text="Text of the question."
    )


class ConversationBase(StatementViewSet):
    """Base of the views: conversations of the caller only."""

    def conversation(self, pk: UUID, conversation_id: UUID) -> tuple[Scan, Conversation]:
        """Return the scan and the conversation. Raise `Http404` for those of others."""
        scan = self.open_scan(pk)
        try:
            return scan, get_conversation(self.request.user, scan, conversation_id)  # type: ignore[arg-type]
        except Conversation.DoesNotExist as error:
            raise Http404 from error

    def message(self, pk: UUID, conversation_id: UUID, message_id: UUID) -> Message:
        """Return a message. Raise `Http404` for those of others."""
        _, conversation = self.conversation(pk, conversation_id)
        try:
            return get_message(conversation, message_id)
        except Message.DoesNotExist as error:
            raise Http404 from error


class ConversationViewSet(ConversationBase):
    """Conversations about a scan."""

    serializer_class = ConversationSerializer
    queryset = Conversation.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(parameters=[RETRY_AFTER], responses={200: ConversationSerializer(many=True)} | LISTED)
    def list(self, request: Request, pk: UUID) -> Response:
        """List the caller's conversations about a scan, newest first."""
        rows = conversations_of(request.user, self.open_scan(pk))  # type: ignore[arg-type]
        return Response(ConversationSerializer(rows, many=True).data)

    @extend_schema(
        request=NewConversationSerializer,
        parameters=[RETRY_AFTER],
        responses=created(
            ConversationSerializer,
            "The conversation. Nothing is sent before the first question.",
            conflict=f"{SEALED} Or the current analysis has no result (`no_result`), the caller has too many "
            "conversations about the scan (`too_many_conversations`), or the scan was deleted (`scan_deleted`).",
        ),
    )
    def create(self, request: Request, pk: UUID) -> Response:
        """Start a conversation about the current result of a scan."""
        scan = self.scan(pk)
        fields = NewConversationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        made = start_conversation(scan, by=request.user, **fields.validated_data)  # type: ignore[arg-type]
        return Response(ConversationSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="scans_conversations_destroy",
        parameters=[CONVERSATION, RETRY_AFTER],
        responses={204: OpenApiResponse(description="Deleted.")}
        | errors(404, status_403="The session has no CSRF token.", status_409=SEALED),
    )
    def destroy(self, request: Request, pk: UUID, conversation_id: UUID) -> Response:
        """Delete a conversation with its messages."""
        delete_conversation(self.conversation(pk, conversation_id)[1])
        return Response(status=status.HTTP_204_NO_CONTENT)


class MessageViewSet(ConversationBase):
    """Questions of a conversation, with their answers."""

    serializer_class = MessageSerializer
    queryset = Message.objects.none()  # For the schema; requests read through the selector.

    @extend_schema(
        operation_id="scans_conversations_messages_list",
        parameters=[CONVERSATION, RETRY_AFTER],
        responses={200: MessageSerializer(many=True)} | LISTED,
    )
    def list(self, request: Request, pk: UUID, conversation_id: UUID) -> Response:
        """List the questions of a conversation with their answers, in order."""
        return Response(MessageSerializer(messages_of(self.conversation(pk, conversation_id)[1]), many=True).data)

    @extend_schema(
        operation_id="scans_conversations_messages_create",
        request=NewMessageSerializer,
        parameters=[CONVERSATION, LOCATION, POLL_AFTER, RETRY_AFTER],
        responses={
            201: OpenApiResponse(MessageSerializer, description="The question was refused with a fixed answer."),
            202: OpenApiResponse(MessageSerializer, description="The question is queued."),
        }
        | errors(
            *(400, 404, 413, 415),
            status_403="The session has no CSRF token.",
            status_409=f"{SEALED} Or an answer is being written (`already_asked`), or a limit is reached "
            "(`rate_limit`, `too_many_questions`).",
        ),
    )
    def create(self, request: Request, pk: UUID, conversation_id: UUID) -> Response:
        """Ask a question. Requests for a diagnosis or a prescription get a fixed answer, and nothing is sent."""
        scan, conversation = self.conversation(pk, conversation_id)
        fields = NewMessageSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        row = ask(scan, conversation, **fields.validated_data)
        headers = {"Location": reverse("api:scan-message", args=[scan.pk, conversation.pk, row.pk], request=request)}
        if row.is_finished:
            return Response(MessageSerializer(row).data, status=status.HTTP_201_CREATED, headers=headers)
        headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(MessageSerializer(row).data, status=status.HTTP_202_ACCEPTED, headers=headers)

    @extend_schema(
        operation_id="scans_conversations_messages_retrieve",
        parameters=[CONVERSATION, MESSAGE, PREFER, PREFERENCE_APPLIED, POLL_AFTER, RETRY_AFTER],
        responses={200: MessageSerializer} | LISTED,
    )
    def retrieve(self, request: Request, pk: UUID, conversation_id: UUID, message_id: UUID) -> Response:
        """Return a question with its answer; with `Prefer: wait=N`, as soon as the answer grows or ends."""
        row = self.message(pk, conversation_id, message_id)
        headers = {}
        seconds = wait_seconds(request.headers.get("Prefer", ""))
        if seconds and not row.is_finished:
            with waiting_slot(int(request.user.pk or 0)) as may_wait:
                if may_wait:
                    try:
                        row = wait_until_answered(row, seconds=seconds)
                    except Message.DoesNotExist as error:
                        raise Http404 from error
                    headers["Preference-Applied"] = f"wait={seconds}"
        if not row.is_finished:
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        return Response(MessageSerializer(row).data, headers=headers)

    @extend_schema(
        operation_id="scans_conversations_messages_stop",
        request=None,
        parameters=[CONVERSATION, MESSAGE, RETRY_AFTER],
        responses={200: MessageSerializer}
        | errors(404, status_403="The session has no CSRF token.", status_409=SEALED),
    )
    def stop(self, request: Request, pk: UUID, conversation_id: UUID, message_id: UUID) -> Response:
        """Stop an answer. What is written stays."""
        row = self.message(pk, conversation_id, message_id)
        stop_answer(row)
        row.refresh_from_db()
        return Response(MessageSerializer(row).data)
