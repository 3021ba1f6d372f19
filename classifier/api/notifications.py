"""Notifications of the caller."""

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from classifier.api.base import PrivateView
from classifier.api.pagination import CursorPages
from classifier.api.queries import PageQuery
from classifier.api.schema import RETRY_AFTER, errors
from classifier.models import Notification
from classifier.notification_text import text
from classifier.selectors.notification import notifications_of
from classifier.services.notification import mark_all_read, mark_read


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """One notification. It contains no patient data and no result."""

    kind = serializers.ChoiceField(choices=Notification.Kind.choices, read_only=True)
    text = serializers.SerializerMethodField(help_text="A sentence for people.")
    scan = serializers.UUIDField(source="scan_id", allow_null=True, read_only=True, help_text="The scan, if any.")
    batch = serializers.UUIDField(source="batch_id", allow_null=True, read_only=True, help_text="The batch, if any.")
    created_at = serializers.DateTimeField(source="published_at", read_only=True)
    read = serializers.SerializerMethodField(help_text="Whether it was read.")

    class Meta:
        model = Notification
        fields = ("id", "kind", "text", "scan", "batch", "created_at", "read")
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_text(self, row: Notification) -> str:
        """Return the sentence."""
        return text(row)

    @extend_schema_field(serializers.BooleanField())
    def get_read(self, row: Notification) -> bool:
        """Return whether it was read."""
        return row.read_at is not None


class NewestPublished(CursorPages):
    """Pages in the order of publication."""

    ordering = ("-published_at", "-pk")


class NotificationViewSet(PrivateView, GenericViewSet[Notification]):
    """Notifications of the caller."""

    serializer_class = NotificationSerializer
    queryset = Notification.objects.none()  # For the schema; every request reads through the selector.
    pagination_class: type[CursorPages] = NewestPublished

    @extend_schema(
        parameters=[PageQuery, RETRY_AFTER],
        responses={200: NotificationSerializer(many=True)} | errors(400, status_404="The cursor is not valid."),
    )
    def list(self, request: Request) -> Response:
        """List the notifications of the caller, newest first."""
        PageQuery(data=request.query_params).is_valid(raise_exception=True)
        page = self.paginate_queryset(notifications_of(request.user)) or []  # type: ignore[arg-type]
        return self.get_paginated_response(NotificationSerializer(page, many=True).data)

    @extend_schema(
        request=None,
        parameters=[RETRY_AFTER],
        responses={204: OpenApiResponse(description="It is marked as read.")} | errors(404),
    )
    def read(self, request: Request, notification_id: int) -> Response:
        """Mark a notification as read."""
        if not mark_read(request.user, notification_id):  # type: ignore[arg-type]
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="notifications_read_all",
        request=None,
        parameters=[RETRY_AFTER],
        responses={204: OpenApiResponse(description="All notifications are marked as read.")},
    )
    def read_all(self, request: Request) -> Response:
        """Mark all notifications as read."""
        mark_all_read(request.user)  # type: ignore[arg-type]
        return Response(status=status.HTTP_204_NO_CONTENT)
