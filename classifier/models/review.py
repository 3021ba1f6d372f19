"""Clinicians' statements about a scan: impressions, reviews, and confirmed diagnoses. All of them are append-only."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from classifier.findings import FINDING_LABELS, READINGS
from classifier.models.append_only import AppendOnlyModel, AppendOnlyQuerySet

READING_CHOICES: list[tuple[str, str]] = [(name, FINDING_LABELS[name].capitalize()) for name in READINGS]
MAX_COMMENT = 2000


class Certainty(models.TextChoices):
    """A clinician's certainty."""

    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"


class Impression(AppendOnlyModel):
    """A clinician's reading of a scan before its result was opened (sealed first read).

    The impressions of one reader form a chain: each hash covers the row and the hash before it, so that a row that is
    changed or removed later shows. `classifier.services.review` computes the hashes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.DO_NOTHING, db_constraint=False, related_name="impressions"
    )
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="impressions")
    number = models.PositiveIntegerField(help_text="Counts the reader's impressions from 1.")
    finding = models.CharField(max_length=16, choices=READING_CHOICES)
    certainty = models.CharField(max_length=8, choices=Certainty)
    comment = models.TextField(max_length=MAX_COMMENT, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet["Impression"].as_manager()

    class Meta:
        ordering = ("created_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=("scan", "reader"), name="impression_once"),
            models.UniqueConstraint(fields=("reader", "number"), name="impression_number_once"),
        )
        indexes = (models.Index(fields=("reader", "scan"), name="impression_by_reader"),)

    def __str__(self) -> str:
        return f"Impression {self.number} of {self.reader}"


class Review(AppendOnlyModel):
    """A clinician's verdict on an analysis. A further review by the same reader revises it."""

    class Verdict(models.TextChoices):
        """Whether the reader agrees with what the analysis says."""

        AGREE = "agree", "Agree"
        CORRECT = "correct", "Correct"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.DO_NOTHING, db_constraint=False, related_name="reviews"
    )
    analysis = models.ForeignKey(
        "classifier.Analysis", on_delete=models.DO_NOTHING, db_constraint=False, related_name="reviews"
    )
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    number = models.PositiveSmallIntegerField(help_text="Counts the reviewer's reviews of this analysis from 1.")
    verdict = models.CharField(max_length=8, choices=Verdict)
    finding = models.CharField(
        max_length=16,
        choices=READING_CHOICES,
        blank=True,
        help_text="The reviewer's finding. Empty if they agree with an analysis without a finding.",
    )
    certainty = models.CharField(max_length=8, choices=Certainty)
    comment = models.TextField(max_length=MAX_COMMENT, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnlyQuerySet["Review"].as_manager()

    class Meta:
        ordering = ("created_at", "pk")
        indexes = (
            models.Index(fields=("scan", "created_at"), name="review_of_scan"),
            models.Index(fields=("reviewer", "created_at"), name="review_by_reviewer"),
            models.Index(fields=("reviewer", "scan"), name="review_scans_of_reviewer"),
        )
        constraints = (
            # Two forms sent at once store one review.
            models.UniqueConstraint(fields=("analysis", "reviewer", "number"), name="review_number_once"),
            models.CheckConstraint(name="review_finding_when_corrected", condition=Q(verdict="agree") | ~Q(finding="")),
        )

    def __str__(self) -> str:
        return f"Review {self.number} of analysis {str(self.analysis_id)[:8]} by {self.reviewer}"


class Diagnosis(AppendOnlyModel):
    """A diagnosis of a scan, confirmed by histology, follow-up imaging, or another source."""

    class Source(models.TextChoices):
        """Source of the confirmation."""

        HISTOLOGY = "histology", "Histology"
        FOLLOW_UP = "follow_up", "Follow-up imaging"
        OTHER = "other", "Other"

    CERTAIN: ClassVar[tuple[str, ...]] = (Source.HISTOLOGY, Source.FOLLOW_UP)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.DO_NOTHING, db_constraint=False, related_name="diagnoses"
    )
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="diagnoses")
    finding = models.CharField(max_length=16, choices=READING_CHOICES)
    source = models.CharField(max_length=16, choices=Source)
    confirmed_on = models.DateField(help_text="Date of the histology or of the follow-up imaging.")
    comment = models.TextField(max_length=MAX_COMMENT, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnlyQuerySet["Diagnosis"].as_manager()

    class Meta:
        verbose_name_plural = "diagnoses"
        ordering = ("created_at", "pk")
        indexes = (models.Index(fields=("scan", "created_at"), name="diagnosis_of_scan"),)

    def __str__(self) -> str:
        return f"Diagnosis of scan {str(self.scan_id)[:8]}"
