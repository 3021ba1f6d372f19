"""The explanation in a report."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from classifier.models import lengths

MAX_PICTURE_CHECK = 500


class ReportExplanation(models.Model):
    """The explanation that the author of a draft chose as a section of the report.

    It is a copy: the original stays as it was chosen, and `text` holds the author's edits. Signing puts both under the
    hash of the report.
    """

    report = models.OneToOneField("classifier.Report", on_delete=models.CASCADE, related_name="explanation")
    analysis = models.ForeignKey("classifier.Analysis", on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=64)
    model = models.CharField(
        max_length=lengths.LANGUAGE_MODEL, blank=True, help_text="Empty for the built-in explanation."
    )
    made_at = models.DateTimeField(help_text="When the explanation was written.")
    picture_check = models.CharField(
        max_length=MAX_PICTURE_CHECK, blank=True, help_text="What the check against the picture found."
    )
    original = models.TextField(help_text="Markdown, as it was chosen.")
    text = models.TextField(help_text="Markdown, as it is printed.")
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    edited_by_name = models.CharField(max_length=310, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    chosen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Explanation of {self.report_id} by {self.provider}"

    @property
    def is_edited(self) -> bool:
        """Whether the text differs from the original."""
        return self.text != self.original

    def content(self) -> dict[str, Any]:
        """Return the section as plain data, for the signed content, the API, and the templates."""
        return {
            "provider": self.provider,
            "model": self.model,
            "ai_generated": bool(self.model),
            "made_at": self.made_at.isoformat(),
            "picture_check": self.picture_check,
            "original": self.original,
            "text": self.text,
            "edited_by": self.edited_by_name if self.is_edited else "",
            "edited_at": self.edited_at.isoformat() if self.is_edited and self.edited_at else "",
        }
