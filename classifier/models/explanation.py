"""Explanations: machine-written texts about one result."""

import uuid

from django.conf import settings
from django.db import models


class Explanation(models.Model):
    """A machine-written text about the result of one analysis. It is deleted with its scan."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="explanations")
    analysis = models.ForeignKey("classifier.Analysis", on_delete=models.CASCADE, related_name="explanations")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="requested_explanations"
    )
    provider = models.CharField(max_length=64, help_text="The provider's name; “built-in” for fixed sentences.")
    model = models.CharField(max_length=120, blank=True, help_text="The language model; empty for fixed sentences.")
    text = models.TextField(blank=True, help_text="Markdown without HTML.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (models.Index(fields=("scan", "-created_at"), name="explanation_of_scan"),)

    def __str__(self) -> str:
        return f"Explanation {str(self.pk)[:8]} ({self.provider})"
