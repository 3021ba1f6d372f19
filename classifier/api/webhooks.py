"""Webhooks of the caller and the messages to them."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from classifier.api.base import PrivateView
from classifier.api.fields import TextField
from classifier.api.pagination import CursorPages
from classifier.api.parsers import JSONParser
from classifier.api.queries import PageQuery
from classifier.api.schema import RETRY_AFTER, errors
from classifier.integrations.webhooks.messages import KEPT
from classifier.models import Webhook, WebhookDelivery
from classifier.models.webhook import MAX_URL
from classifier.selectors.webhook import deliveries_of, get_webhook, webhooks_of
from classifier.services.webhook import (
    EVENTS,
    PING,
    URL_PATTERN,
    create_webhook,
    delete_webhook,
    secret_of,
    send_ping,
    switch_webhook,
)

EVENT_CHOICES = list(EVENTS.items())
DELIVERY_CHOICES = [*EVENT_CHOICES, (PING, "A test message")]
STATES = ("waiting", "delivered", "failed")


@extend_schema_field({"type": "string", "pattern": f"^https{URL_PATTERN}$", "maxLength": MAX_URL})
class WebhookURLField(TextField):
    """The URL of a receiver."""


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A URL that gets a signed message about events on scans that the caller may see."""

    events = serializers.ListField(child=serializers.ChoiceField(choices=EVENT_CHOICES), read_only=True)
    failed_deliveries = serializers.IntegerField(
        read_only=True, min_value=0, help_text=f"Messages of the last {KEPT.days} days that were given up."
    )

    class Meta:
        model = Webhook
        fields = (
            *("id", "url", "events", "is_active", "created_at", "last_succeeded_at", "failing_since"),
            "failed_deliveries",
        )
        read_only_fields = fields


class CreatedWebhookSerializer(WebhookSerializer):
    """A new webhook with its secret, which no other response contains."""

    secret = serializers.SerializerMethodField(help_text="The key of the signatures (Standard Webhooks, `whsec_…`).")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(serializers.CharField())
    def get_secret(self, row: Webhook) -> str:
        """Return the secret."""
        return secret_of(row)


class NewWebhookSerializer(serializers.Serializer[Any]):
    """A webhook to create."""

    url = WebhookURLField(
        required=True,
        allow_blank=False,
        help_text="An https URL. Hosts that the operator lists as internal may have a private address, and http.",
    )
    events = serializers.ListField(child=serializers.ChoiceField(choices=EVENT_CHOICES), min_length=1, max_length=100)


class WebhookChangeSerializer(serializers.Serializer[Any]):
    """Whether messages are sent. A receiver that has failed for days switches its webhook off."""

    is_active = serializers.BooleanField(help_text="Messages that wait are sent when the webhook is on again.")


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One message. It contains no patient data and no result."""

    event = serializers.ChoiceField(choices=DELIVERY_CHOICES, read_only=True)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    body = serializers.DictField(read_only=True)

    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "message_id", "event", "state", "body", "created_at", "attempts", "due_at", "delivered_at"),
            *("given_up_at", "status", "error"),
        )
        read_only_fields = fields


class NewestDeliveries(CursorPages):
    """Pages of messages, newest first."""

    ordering = "-id"


class WebhookView(PrivateView, GenericViewSet[Webhook]):
    """Base of the views."""

    parser_classes = (JSONParser,)
    serializer_class: type[serializers.BaseSerializer[Any]] = WebhookSerializer
    queryset = Webhook.objects.none()  # For the schema; requests read through the selector.
    # A person has few webhooks: no pages, no filters.
    pagination_class: type[CursorPages] | None = None
    filterset_class = None

    def webhook(self, webhook_id: UUID) -> Webhook:
        """Return a webhook of the caller. Raise `Http404` for any other."""
        try:
            return get_webhook(self.request.user, webhook_id)  # type: ignore[arg-type]
        except Webhook.DoesNotExist as error:
            raise Http404 from error


class WebhookViewSet(WebhookView):
    """Webhooks of the caller."""

    @extend_schema(parameters=[RETRY_AFTER], responses={200: WebhookSerializer(many=True)})
    def list(self, request: Request) -> Response:
        """List the webhooks of the caller, newest first."""
        return Response(WebhookSerializer(webhooks_of(request.user), many=True).data)  # type: ignore[arg-type]

    @extend_schema(
        request=NewWebhookSerializer,
        parameters=[RETRY_AFTER],
        responses={201: OpenApiResponse(CreatedWebhookSerializer, description="It is created. Keep the secret.")}
        | errors(
            *(400, 413, 415),
            status_403="The session has no CSRF token.",
            status_409="The caller has a webhook with this URL, or too many.",
        ),
    )
    def create(self, request: Request) -> Response:
        """Create a webhook. Messages follow the Standard Webhooks specification."""
        fields = NewWebhookSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        row = create_webhook(request.user, **fields.validated_data)  # type: ignore[arg-type]
        body = CreatedWebhookSerializer(self.webhook(row.pk)).data
        url = reverse("api:webhook-detail", args=[row.pk], request=request)
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": url})

    @extend_schema(parameters=[RETRY_AFTER], responses={200: WebhookSerializer} | errors(404))
    def retrieve(self, request: Request, webhook_id: UUID) -> Response:
        """Return a webhook."""
        return Response(WebhookSerializer(self.webhook(webhook_id)).data)

    @extend_schema(
        request=WebhookChangeSerializer,
        parameters=[RETRY_AFTER],
        responses={200: WebhookSerializer} | errors(*(400, 404, 413, 415), status_403="The session has no CSRF token."),
    )
    def partial_update(self, request: Request, webhook_id: UUID) -> Response:
        """Switch a webhook on or off."""
        row = self.webhook(webhook_id)
        fields = WebhookChangeSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        switch_webhook(row, on=fields.validated_data["is_active"])
        return Response(WebhookSerializer(row).data)

    @extend_schema(
        parameters=[RETRY_AFTER],
        responses={204: OpenApiResponse(description="It is deleted, with its messages.")}
        | errors(404, status_403="The session has no CSRF token."),
    )
    def destroy(self, request: Request, webhook_id: UUID) -> Response:
        """Delete a webhook."""
        delete_webhook(self.webhook(webhook_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookPingViewSet(WebhookView):
    """Test messages."""

    serializer_class = DeliverySerializer

    @extend_schema(
        request=None,
        parameters=[RETRY_AFTER],
        responses={202: OpenApiResponse(DeliverySerializer, description="It is queued.")}
        | errors(
            404,
            status_403="The session has no CSRF token.",
            status_409="The webhook is off (`webhook_off`), or a test message waits already (`ping_waiting`).",
        ),
    )
    def create(self, request: Request, webhook_id: UUID) -> Response:
        """Send a test message."""
        row = send_ping(self.webhook(webhook_id))
        return Response(DeliverySerializer(row).data, status=status.HTTP_202_ACCEPTED)


class WebhookDeliveryViewSet(WebhookView):
    """Messages to a webhook."""

    serializer_class = DeliverySerializer
    pagination_class = NewestDeliveries

    @extend_schema(
        parameters=[PageQuery, RETRY_AFTER],
        responses={200: DeliverySerializer(many=True)}
        | errors(400, status_404="There is no such webhook of the caller, or the cursor is not one of this API."),
    )
    def list(self, request: Request, webhook_id: UUID) -> Response:
        """List the messages to a webhook that are still stored, newest first."""
        PageQuery(data=request.query_params).is_valid(raise_exception=True)
        rows: Any = deliveries_of(self.webhook(webhook_id))
        return self.get_paginated_response(DeliverySerializer(self.paginate_queryset(rows) or [], many=True).data)
