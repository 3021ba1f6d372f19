"""Reports that clinicians write, sign, and amend; their templates; and archives of many reports."""

import json
import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from classifier.models import lengths
from classifier.models.append_only import AppendOnlyModel, AppendOnlyQuerySet

# About four pages: a report of one slice is shorter.
MAX_TEXT = 8000
MAX_ADDENDUM = 4000
TEXTS: tuple[str, ...] = ("findings", "impression", "recommendation")
"""The texts that a clinician writes, in the order of a report."""


class ReportTexts(models.Model):
    """The texts that a clinician writes."""

    findings = models.TextField(max_length=MAX_TEXT, blank=True)
    impression = models.TextField(max_length=MAX_TEXT, blank=True)
    recommendation = models.TextField(max_length=MAX_TEXT, blank=True)

    class Meta:
        abstract = True

    @property
    def texts(self) -> dict[str, str]:
        """The texts by name, in the order of `TEXTS`."""
        return {name: getattr(self, name) for name in TEXTS}


class ReportTemplate(ReportTexts):
    """Texts to begin a report with: of one person, or of a team. `classifier.services.report_template` fills them."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=lengths.GIVEN_NAME)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="report_templates"
    )
    team = models.ForeignKey(
        "classifier.Team", on_delete=models.CASCADE, null=True, blank=True, related_name="report_templates"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.CheckConstraint(
                name="report_template_of_one",
                condition=Q(owner__isnull=False, team__isnull=True) | Q(owner__isnull=True, team__isnull=False),
            ),
            models.UniqueConstraint(fields=("owner", "name"), name="report_template_of_owner_once"),
            models.UniqueConstraint(fields=("team", "name"), name="report_template_of_team_once"),
        )

    def __str__(self) -> str:
        return self.name


class Report(ReportTexts):
    """A report in the making. Signing stores a `SignedReport` with the same identifier.

    ```
      save ──► draft ──(sign)──► signed
                 ▲ │
                 └─┘ save
    ```

    Only `classifier.services.report` changes `state`.
    """

    class State(models.TextChoices):
        """Whether the report can still be edited."""

        DRAFT = "draft", "Draft"
        SIGNED = "signed", "Signed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="reports")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reports")
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1, help_text="Counts the saved versions from 1.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-updated_at", "-pk")
        indexes = (models.Index(fields=("author", "state", "-updated_at"), name="report_of_author"),)
        constraints = (
            models.UniqueConstraint(
                fields=("scan", "author"), condition=Q(state="draft"), name="report_draft_once_per_author"
            ),
        )

    def __str__(self) -> str:
        return f"Report {str(self.pk)[:8]} ({self.state})"

    def get_absolute_url(self) -> str:
        """Return the URL of the report's page."""
        return reverse("web:report", args=[self.pk])


class SignedReport(AppendOnlyModel):
    """A signed report: the texts and facts as they were, and the hash of both. It is never changed.

    Attributes:
        CONTENT_FORMAT: version of the structure of `content`. Since 2 it has `explanation`, which can be null.
    """

    CONTENT_FORMAT: ClassVar[int] = 2

    id = models.UUIDField(primary_key=True, editable=False, help_text="The identifier of the report.")
    number = models.CharField(max_length=20, unique=True, help_text="For people: printed, and typed to verify.")
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.DO_NOTHING, db_constraint=False, related_name="signed_reports"
    )
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signed_reports")
    signer_name = models.CharField(max_length=310, help_text="The name at the time of signing.")
    signed_at = models.DateTimeField(default=timezone.now)
    # Text, not JSON: databases may write JSON differently, and the hash covers these very characters.
    content = models.TextField(help_text="Texts and facts as JSON.")
    sha256 = models.CharField(max_length=64, db_index=True, help_text="SHA-256 of `content`.")

    objects = AppendOnlyQuerySet["SignedReport"].as_manager()

    class Meta:
        ordering = ("-signed_at", "-pk")
        indexes = (models.Index(fields=("scan", "-signed_at"), name="signed_report_of_scan"),)

    def __str__(self) -> str:
        return f"Report {self.number}"

    def get_absolute_url(self) -> str:
        """Return the URL of the report's page."""
        return reverse("web:report", args=[self.pk])

    @property
    def snapshot(self) -> dict[str, Any]:
        """The parsed content: `texts`, `facts`, and what identifies the report."""
        parsed: dict[str, Any] = json.loads(self.content)
        return parsed


class ReportAddendum(AppendOnlyModel):
    """An addendum to a signed report. Each hash covers the row and the hash before it, the report's own first."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(
        "classifier.Scan", on_delete=models.DO_NOTHING, db_constraint=False, related_name="report_addenda"
    )
    report = models.ForeignKey(SignedReport, on_delete=models.DO_NOTHING, db_constraint=False, related_name="addenda")
    number = models.PositiveIntegerField(help_text="Counts the addenda of the report from 1.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="report_addenda")
    author_name = models.CharField(max_length=310, help_text="The name at the time of writing.")
    text = models.TextField(max_length=MAX_ADDENDUM)
    created_at = models.DateTimeField(default=timezone.now)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet["ReportAddendum"].as_manager()

    class Meta:
        verbose_name_plural = "report addenda"
        ordering = ("number", "pk")
        constraints = (models.UniqueConstraint(fields=("report", "number"), name="report_addendum_number_once"),)

    def __str__(self) -> str:
        return f"Addendum {self.number} of {self.report_id}"
