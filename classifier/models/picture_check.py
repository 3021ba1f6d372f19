"""Checks whether a language model's statements about a picture depend on the picture."""

from typing import ClassVar

from django.db import models

from classifier.models import lengths
from classifier.models.leased_job import LeasedJob, active_index, running_has_lease


class PictureCheck(LeasedJob):
    """A check of the statements about the picture in one explanation. It is deleted with the explanation.

    ```
                         claim (attempts + 1, lease)            answers judged
      text stored ──► queued ─────────────────────► running ──────────────────► succeeded
                        ▲                            │  │
                        └── lease expired, once ─────┘  └─ provider failed, or second attempt ─► failed
    ```

    A failed check leaves the statements marked as not checked. `classifier.assistant.look` has the rules.
    """

    FROM_PICTURE: ClassVar[str] = "from_picture"
    NOT_FROM_PICTURE: ClassVar[str] = "not_from_picture"
    NOT_CHECKED: ClassVar[str] = "not_checked"
    ON_BLANK: ClassVar[str] = "on_blank"

    explanation = models.OneToOneField("classifier.Explanation", on_delete=models.CASCADE, related_name="picture_check")
    statements = models.JSONField(help_text="Each statement with its mark and with the answers about each picture.")
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True, help_text="Time of the two requests, which run together.")

    class Meta:
        indexes = (active_index("picture_check_queue"),)
        constraints = (running_has_lease("picture_check_running_has_lease"),)

    def __str__(self) -> str:
        return f"Picture check {str(self.pk)[:8]} ({self.state})"


class AssistantTrial(models.Model):
    """The figures of a provider on the sample images, from one run of `manage.py assistant_check`."""

    provider = models.CharField(max_length=lengths.PROVIDER_NAME)
    model = models.CharField(max_length=lengths.LANGUAGE_MODEL)
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
