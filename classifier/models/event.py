"""Events for the audit trail, webhooks, notifications and live pages."""

from typing import ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from classifier.models.append_only import AppendOnlyModel, AppendOnlyQuerySet


class EventQuerySet(AppendOnlyQuerySet["Event"]):
    """Events, which are never changed or deleted."""

    def delete(self) -> NoReturn:
        """Raise TypeError: events are append-only."""
        raise TypeError("Events are append-only.")


class Event(AppendOnlyModel):
    """One thing that happened, written in the transaction that made it happen. `classifier.events` writes the rows.

    Rows are append-only. They refer to scans, analyses and actors by id without a database constraint, so that they
    outlive what they describe. The payload holds no patient data and no finding: a reader who needs those fetches the
    analysis, with its own permissions.
    """

    DELETED_WITH_SCAN: ClassVar[bool] = False

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40, help_text="A value of `classifier.events.Kind`.")
    scan_id = models.UUIDField(null=True)
    analysis_id = models.UUIDField(null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        help_text="The person who did it; empty for a worker or the sweep.",
    )
    at = models.DateTimeField(default=timezone.now)
    payload = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (
            models.Index(fields=("at", "id"), name="event_by_time"),
            models.Index(fields=("scan_id", "id"), name="event_of_scan"),
        )

    def __str__(self) -> str:
        return f"Event {self.pk} ({self.kind})"
