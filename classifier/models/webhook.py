"""Webhooks: URLs of other programs that are told about events, and the messages to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

MAX_URL = 500
MAX_ERROR = 200


class Webhook(models.Model):
    """A URL that gets a signed message about each event of some kinds that its owner may see."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=MAX_URL)
    events = models.JSONField(help_text="The kinds of events, of `classifier.services.webhook.EVENTS`.")
    is_active = models.BooleanField(default=True, help_text="Off: nothing is sent.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_succeeded_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True, help_text="The first failure after the last success.")

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to one webhook. The rows are the queue: a receiver or a worker that is away loses nothing."""

    id = models.BigAutoField(primary_key=True)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=50, help_text="The same for every attempt: receivers see a repetition.")
    event = models.CharField(max_length=40, help_text="The kind of the event, or “ping”.")
    body = models.JSONField(help_text="No patient data and no result.")
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(null=True, help_text="When to send it, or to try again. Empty: not.")
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True, help_text="When the last attempt failed.")
    status = models.PositiveSmallIntegerField(null=True, help_text="The HTTP status of the last answer, if any.")
    error = models.CharField(max_length=MAX_ERROR, help_text="Why the last attempt failed.")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("webhook", "-id"), name="webhook_delivery_newest"),
            models.Index(fields=("due_at",), condition=Q(due_at__isnull=False), name="webhook_delivery_due"),
            models.Index(fields=("created_at",), name="webhook_delivery_age"),
        )
        constraints = (models.UniqueConstraint(fields=("webhook", "message_id"), name="webhook_delivery_once"),)

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}"

    @property
    def state(self) -> str:
        """Return "delivered", "failed" after the last attempt, or "waiting"."""
        return "delivered" if self.delivered_at else "failed" if self.given_up_at else "waiting"
