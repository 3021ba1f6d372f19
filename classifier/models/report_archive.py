"""Archives: the PDF reports of many scans in one ZIP file, made in the background."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse


class ReportArchive(models.Model):
    """A request for the reports of many scans, and how far it has come.

    ```
                    claim (attempts + 1, lease)           all done
      request ──► queued ─────────────────────► running ───────────► succeeded ──(a day)──► removed
                    ▲                            │  │
                    └── worker stops, or its lease expires
                                                    └─ third attempt, or the disk is full ──► failed ──► removed
    ```

    The rows are the queue, like those of `Analysis`: a message only tells a worker to look. The reports that are made
    stay on the disk, so that another worker continues where a killed one stopped.
    """

    class State(models.TextChoices):
        """The state in the queue."""

        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    ACTIVE: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_archives")
    title = models.CharField(max_length=120, help_text="What it holds, for people.")
    scan_ids = models.JSONField(help_text="The scans, in the order of the archive.")
    # The reader's, for the times in the reports.
    time_zone = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField()
    left_out = models.JSONField(default=dict, help_text="Identifiers of scans without a report, and why.")
    bytes = models.PositiveBigIntegerField(default=0, help_text="Size of the file.")
    attempts = models.PositiveSmallIntegerField(default=0)
    failure_message = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(
                fields=("created_at",), name="report_archive_queue", condition=Q(state__in=("queued", "running"))
            ),
            models.Index(fields=("owner", "-created_at"), name="report_archive_of_owner"),
        )
        constraints = (
            models.CheckConstraint(
                name="report_archive_running_has_lease",
                condition=Q(state="running", lease_token__isnull=False, lease_expires_at__isnull=False)
                | (~Q(state="running") & Q(lease_token__isnull=True, lease_expires_at__isnull=True)),
            ),
        )

    def __str__(self) -> str:
        return f"Archive {str(self.pk)[:8]} ({self.state})"

    def get_absolute_url(self) -> str:
        """Return the URL of its page."""
        return reverse("web:report_archive", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.state not in self.ACTIVE
