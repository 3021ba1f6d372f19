"""Commissioning: a team measures a model on its own cases, in shadow mode, before it relies on it."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from classifier.models import lengths
from classifier.models.append_only import AppendOnlyModel, AppendOnlyQuerySet
from classifier.models.review import READING_CHOICES


class Commissioning(AppendOnlyModel):
    """The measurement of one model version on a team's cases. Model and limits are set at its start, and never changed.

    ```
      start (model, limits) ──► open: cases are added, shadow analyses run, nobody sees them ──► closed
    ```

    It is closed once it has an `AcceptanceReport`. Rows outlive their team, like events.
    """

    DELETED_WITH_SCAN: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(
        "classifier.Team", on_delete=models.DO_NOTHING, db_constraint=False, related_name="commissionings"
    )
    title = models.CharField(max_length=lengths.GIVEN_NAME)
    model_name = models.CharField(max_length=lengths.MODEL_NAME)
    model_version = models.CharField(max_length=lengths.MODEL_NAME)
    weights_sha256 = models.CharField(max_length=64)
    limits = models.JSONField(help_text="See `classifier.acceptance.limits.Limits`.")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnlyQuerySet["Commissioning"].as_manager()

    class Meta:
        ordering = ("-started_at", "-pk")
        indexes = (models.Index(fields=("team", "-started_at"), name="commissioning_of_team"),)

    def __str__(self) -> str:
        return f"Commissioning {self.short_id}"

    def get_absolute_url(self) -> str:
        """Return the URL of its page."""
        return reverse("web:commissioning", args=[self.pk])

    @property
    def short_id(self) -> str:
        """The first eight characters of the identifier, for people."""
        return str(self.pk)[:8]


class CommissioningCase(models.Model):
    """A scan whose truth a commissioning compares with the answer of its shadow analysis.

    The truth is what a file of cases said, or empty: then the newest confirmed diagnosis of the scan counts, else its
    newest review. A case is deleted with its scan.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    commissioning = models.ForeignKey(Commissioning, on_delete=models.PROTECT, related_name="cases")
    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="commissioning_cases")
    analysis = models.OneToOneField("classifier.Analysis", on_delete=models.CASCADE, related_name="commissioning_case")
    stated_truth = models.CharField(max_length=16, choices=READING_CHOICES, blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("added_at", "pk")
        constraints = (models.UniqueConstraint(fields=("commissioning", "scan"), name="commissioning_case_once"),)

    def __str__(self) -> str:
        return f"Case {str(self.pk)[:8]} of {self.commissioning}"


class AcceptanceReport(AppendOnlyModel):
    """The end of a commissioning: figures, verdicts, and signature. It holds counts alone, no patient and no scan."""

    DELETED_WITH_SCAN: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    commissioning = models.OneToOneField(Commissioning, on_delete=models.PROTECT, related_name="report")
    signed = models.JSONField(help_text="Content, signature, and public key; see `classifier.acceptance.signature`.")
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnlyQuerySet["AcceptanceReport"].as_manager()

    def __str__(self) -> str:
        return f"Acceptance report of {self.commissioning}"

    @property
    def content(self) -> dict[str, Any]:
        """The content; see `classifier.acceptance.report.build_report`."""
        content: dict[str, Any] = self.signed["report"]
        return content


class SiteCalibration(models.Model):
    """Calibration and thresholds that a commissioning fitted on the cases of its team.

    It is used in place of the calibration on the model's card. It is off until an owner of the team switches it on,
    and can be switched off again; each switch is an event. Its values never change.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    commissioning = models.OneToOneField(Commissioning, on_delete=models.PROTECT, related_name="site_calibration")
    # Without a constraint: analyses refer to it after their team is gone.
    team = models.ForeignKey(
        "classifier.Team", on_delete=models.DO_NOTHING, db_constraint=False, related_name="site_calibrations"
    )
    model_name = models.CharField(max_length=lengths.MODEL_NAME)
    model_version = models.CharField(max_length=lengths.MODEL_NAME)
    values = models.JSONField(help_text="`calibration`, `thresholds`, `possible`; see `ModelCard.at_site`.")
    active = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("team", "model_name"), condition=Q(active=True), name="site_calibration_active_once"
            ),
        )

    def __str__(self) -> str:
        return f"Site calibration of {self.commissioning}"

    @property
    def fitted_on(self) -> tuple[str, str]:
        """Version and digest of the weights that it fits: others with the same version have other logits."""
        return self.model_version, self.commissioning.weights_sha256
