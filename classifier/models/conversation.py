"""Conversations with a language model about one result."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from classifier.models import lengths
from classifier.models.leased_job import LeasedJob, active_index, running_has_lease

MAX_TITLE = 120
MAX_QUESTION = 1000
"""Characters of a question. A longer text is a document, which may hold what must not be sent."""


class Conversation(models.Model):
    """Questions of one person about the result of one analysis, and the answers. It is deleted with its scan."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="conversations")
    analysis = models.ForeignKey("classifier.Analysis", on_delete=models.CASCADE, related_name="conversations")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=MAX_TITLE)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=lengths.LANGUAGE_MODEL)
    with_image = models.BooleanField(default=False, help_text="Whether the image is sent.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (models.Index(fields=("scan", "owner", "-created_at"), name="conversation_of_person"),)

    def __str__(self) -> str:
        return f"Conversation {str(self.pk)[:8]}"

    def get_absolute_url(self) -> str:
        """Return the URL of its page."""
        return reverse("web:conversation", args=[self.scan_id, self.pk])


class Message(LeasedJob):
    """One question with its answer.

    ```
                    claim (attempts + 1, lease)             answer complete
      question ──► queued ─────────────────────► running ──────────────────► succeeded
                     │ ▲                          │ │ │
                     │ └── lease expired, once ───┘ │ └─ provider failed, or second attempt ─► failed
                     └───────── person stops ───────┴─► stopped
    ```

    The worker writes the answer while it grows; `chunk` counts the writes, so that a page knows what it has seen.
    """

    class State(models.TextChoices):
        """The state of the answer."""

        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        STOPPED = "stopped", "Stopped"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    number = models.PositiveSmallIntegerField(help_text="1 for the first of the conversation.")
    question = models.TextField(max_length=MAX_QUESTION)
    answer = models.TextField(blank=True, help_text="Markdown without HTML, checked against the analysis.")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    chunk = models.PositiveIntegerField(default=0)
    blocked = models.JSONField(default=list, help_text="Reason of each sentence that was removed.")

    class Meta:
        ordering = ("number",)
        indexes = (active_index("message_queue"),)
        constraints = (
            models.UniqueConstraint(fields=("conversation", "number"), name="message_number_once"),
            # One question at a time: a double click must send one request.
            models.UniqueConstraint(
                fields=("conversation",), condition=Q(state__in=("queued", "running")), name="message_active_once"
            ),
            running_has_lease("message_running_has_lease"),
        )

    def __str__(self) -> str:
        return f"Message {self.number} of {str(self.conversation_id)[:8]}"

    @property
    def is_fixed(self) -> bool:
        """Whether the answer is a fixed sentence, and nothing was sent."""
        return self.state == self.State.SUCCEEDED and not self.attempts

    @property
    def seen(self) -> str:
        """What a page shows, to ask for what comes next."""
        return f"{self.state}-{self.chunk}"
