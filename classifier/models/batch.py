"""Batches: files that were uploaded together."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models import lengths


class Batch(models.Model):
    """Files that one person uploaded together, with the outcome of each.

    The client chooses the identifier, so that every request of an upload, and every repetition of one, finds the batch.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batches")
    team = models.ForeignKey(
        "classifier.Team", on_delete=models.SET_NULL, null=True, blank=True, related_name="batches"
    )
    patient_reference = models.CharField(
        max_length=lengths.PATIENT_REFERENCE, blank=True, help_text="A pseudonym, never a name."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "batches"
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=("owner", "-created_at", "-id"), name="batch_owner_newest"),
            models.Index(fields=("team", "-created_at", "-id"), name="batch_team_newest"),
        )

    def __str__(self) -> str:
        return f"Batch {str(self.pk)[:8]}"

    def get_absolute_url(self) -> str:
        """Return the URL of the batch's page."""
        return reverse("web:batch", args=[self.pk])


class BatchFile(models.Model):
    """One file of a batch: stored as a scan, or refused.

    The name is kept only if the person or the team wants it, and never for DICOM, whose names often identify patients.
    """

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="files")
    number = models.PositiveIntegerField(help_text="Position in the upload, from 1.")
    name = models.CharField(max_length=lengths.FILE_NAME, blank=True, help_text="The file's name, if it is kept.")
    # Empty for a refused file, and once the scan is deleted.
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.SET_NULL, null=True, blank=True, related_name="batch_files"
    )
    refusal = models.CharField(max_length=lengths.SENTENCE, blank=True, help_text="Why the file was refused.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("number", "pk")
        constraints = (models.UniqueConstraint(fields=("batch", "number"), name="batch_file_number_once"),)

    def __str__(self) -> str:
        return f"File {self.number} of {self.batch}"
