"""Checks whether a language model's statements about a picture depend on the picture."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q


class PictureCheck(models.Model):
    """A check of the statements about the picture in one explanation. It is deleted with the explanation.

    ```
                         claim (attempts + 1, lease)            answers judged
      text stored ──► queued ─────────────────────► running ──────────────────► succeeded
                        ▲                            │  │
                        └── lease expired, once ─────┘  └─ provider failed, or second attempt ─► failed
    ```

    A failed check leaves the statements marked as not checked. `classifier.assistant.look` has the rules.
    """

    class State(models.TextChoices):
        """The state in the queue."""

        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    ACTIVE: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)
    FROM_PICTURE: ClassVar[str] = "from_picture"
    NOT_FROM_PICTURE: ClassVar[str] = "not_from_picture"
    NOT_CHECKED: ClassVar[str] = "not_checked"
    ON_BLANK: ClassVar[str] = "on_blank"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    explanation = models.OneToOneField("classifier.Explanation", on_delete=models.CASCADE, related_name="picture_check")
    statements = models.JSONField(help_text="Each statement with its mark and with the answers about each picture.")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    failure_message = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True, help_text="Time of the two requests, which run together.")

    class Meta:
        indexes = (
            models.Index(
                fields=("created_at",), name="picture_check_queue", condition=Q(state__in=("queued", "running"))
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="picture_check_running_has_lease",
                condition=Q(state="running", lease_token__isnull=False, lease_expires_at__isnull=False)
                | (~Q(state="running") & Q(lease_token__isnull=True, lease_expires_at__isnull=True)),
            ),
        )

    def __str__(self) -> str:
        return f"Picture check {str(self.pk)[:8]} ({self.state})"

    @property
    def is_finished(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.state not in self.ACTIVE


class AssistantTrial(models.Model):
    """The figures of a provider on the sample images, from one run of `manage.py assistant_check`."""

    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=120)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(auto_now_add=True)
    images = models.PositiveIntegerField(help_text="Images that were sent.")
    figures = models.JSONField(help_text="Sums over the images, as `classifier.assistant_figures.Figures` has them.")
    rows = models.JSONField(help_text="The figures of each image.")

    class Meta:
        ordering = ("-finished_at", "-pk")
        indexes = (models.Index(fields=("provider", "-finished_at"), name="assistant_trial_of_provider"),)

    def __str__(self) -> str:
        return f"Trial of {self.provider} ({self.images} images)"
