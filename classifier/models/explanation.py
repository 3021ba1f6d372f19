"""Explanations: machine-written texts about one result."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from classifier.models import lengths
from classifier.models.leased_job import LeasedJob, active_index, running_has_lease
from classifier.models.picture_check import PictureCheck


class Explanation(LeasedJob):
    """A machine-written text about the result of one analysis. It is deleted with its scan.

    ```
                    claim (attempts + 1, lease)           answer checked
      request ──► queued ─────────────────────► running ─────────────────► succeeded
                    ▲                            │  │
                    └── lease expired, once ─────┘  └─ provider failed, or second attempt ─► failed
    ```

    While it is running, the worker writes the checked sentences of the growing answer to `partial`; `chunk` counts the
    writes, so that a page knows what it has seen. `text` is the whole answer and nothing less: it stays empty until
    the end, and `partial` is empty in every other state.

    The built-in explanation is stored as succeeded. The rows are the queue, like those of `Analysis`. A request
    that was sent is paid for, so a row gets two attempts at most.
    """

    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="explanations")
    analysis = models.ForeignKey("classifier.Analysis", on_delete=models.CASCADE, related_name="explanations")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="requested_explanations"
    )
    provider = models.CharField(max_length=64, help_text="The provider's name; “built-in” for fixed sentences.")
    model = models.CharField(
        max_length=lengths.LANGUAGE_MODEL, blank=True, help_text="The language model; empty for fixed sentences."
    )
    text = models.TextField(blank=True, help_text="Markdown without HTML.")
    partial = models.TextField(blank=True, help_text="The finished sentences of an answer that is being written.")
    chunk = models.PositiveIntegerField(default=0, help_text="How often the worker has written to `partial`.")
    parts = models.JSONField(default=list, help_text="The text in parts, as `classifier.assistant.statements` has it.")

    state = models.CharField(max_length=10, choices=LeasedJob.State, default=LeasedJob.State.SUCCEEDED)
    with_image = models.BooleanField(default=False, help_text="Whether the image was sent.")
    fields = models.JSONField(default=list, help_text="Keys of the fields that were sent.")
    blocked = models.JSONField(default=list, help_text="Reason of each sentence that was removed.")
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True, help_text="Time of the request to the provider.")

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=("scan", "-created_at"), name="explanation_of_scan"),
            active_index("explanation_queue"),
            models.Index(fields=("requested_by", "-created_at"), name="explanation_by_user"),
        )
        constraints = (
            running_has_lease("explanation_running_has_lease"),
            models.CheckConstraint(
                name="explanation_partial_while_running", condition=Q(state="running") | Q(partial="")
            ),
            # A double click must send one request.
            models.UniqueConstraint(
                fields=("analysis", "requested_by"),
                condition=Q(state__in=("queued", "running")),
                name="explanation_active_once",
            ),
        )

    def __str__(self) -> str:
        return f"Explanation {str(self.pk)[:8]} ({self.provider})"

    @property
    def is_settled(self) -> bool:
        """Whether it is finished and its statements about the picture are no longer being checked."""
        return self.is_finished and (self.second_look is None or self.second_look.is_finished)

    @property
    def second_look(self) -> PictureCheck | None:
        """The check of its statements about the picture; None without any."""
        return getattr(self, "picture_check", None)

    @property
    def seen(self) -> str:
        """The progress that a page shows, to ask for the next."""
        return f"{self.state}-{self.attempts}-{self.chunk}" + (f"-{self.second_look.state}" if self.second_look else "")
