"""Notifications to people, made from events."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Notification(models.Model):
    """One message to one person. It names what happened and where, and holds no patient data and no result.

    A notification of a batch is made with the batch's first event and published when the batch has finished. The key
    prevents a second one when a step is repeated.
    """

    class Kind(models.TextChoices):
        """Kind of a notification."""

        BATCH_DONE = "batch_done", "Upload analyzed"
        FAILED = "failed", "Analysis failed"
        REVIEWED = "reviewed", "Scan reviewed"
        DIAGNOSIS = "diagnosis", "Diagnosis recorded"
        MODEL_CHANGED = "model_changed", "Model changed"
        ARCHIVE_DONE = "archive_done", "Reports ready"
        RETRY_DONE = "retry_done", "Retry finished"

    id = models.BigAutoField(primary_key=True)
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20, choices=Kind)
    key = models.CharField(max_length=120, help_text="Identifies the cause; a recipient has one notification for each.")
    # Without constraints: a notification outlives what it is about.
    scan_id = models.UUIDField(null=True)
    batch_id = models.UUIDField(null=True)
    archive_id = models.UUIDField(null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Who did it."
    )
    details = models.JSONField(default=dict, help_text="Counts and versions for the text. No patient data, no result.")
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, help_text="Empty while its batch is unfinished.")
    read_at = models.DateTimeField(null=True)
    email_due_at = models.DateTimeField(null=True, help_text="When to send it by e-mail, or to try again. Empty: not.")
    email_attempts = models.PositiveSmallIntegerField(default=0)
    email_given_up_at = models.DateTimeField(null=True, help_text="When the last attempt failed. Empty: it did not.")
    on_page = models.BooleanField(default=True, help_text="Whether the recipient wants this kind on the page.")

    class Meta:
        ordering = ("-published_at", "-pk")
        indexes = (
            models.Index(fields=("recipient", "-published_at", "-id"), name="notification_newest"),
            models.Index(
                fields=("recipient",),
                condition=Q(read_at__isnull=True, published_at__isnull=False, on_page=True),
                name="notification_unread",
            ),
            models.Index(
                fields=("created_at",), condition=Q(published_at__isnull=True), name="notification_unpublished"
            ),
            models.Index(
                fields=("email_due_at",), condition=Q(email_due_at__isnull=False), name="notification_email_due"
            ),
            models.Index(
                fields=("email_given_up_at",),
                condition=Q(email_given_up_at__isnull=False),
                name="notification_email_given_up",
            ),
        )
        constraints = (models.UniqueConstraint(fields=("recipient", "key"), name="notification_once"),)

    def __str__(self) -> str:
        return f"Notification {self.pk} ({self.kind})"


class EventCursor(models.Model):
    """Position of one reader of the events. It advances in the same transaction as the reader's writes."""

    name = models.CharField(max_length=40, primary_key=True)
    event_id = models.BigIntegerField(default=0, help_text="The newest event that was processed.")

    def __str__(self) -> str:
        return f"{self.name} at {self.event_id}"


class Dismissal(models.Model):
    """An analysis that a person has taken off the page of what needs attention. A further analysis appears again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="dismissals")
    analysis = models.ForeignKey("classifier.Analysis", on_delete=models.CASCADE, related_name="dismissals")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "analysis"), name="dismissal_once"),)

    def __str__(self) -> str:
        return f"{self.analysis_id} dismissed by {self.user_id}"
