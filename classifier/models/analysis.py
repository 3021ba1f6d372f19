"""Analyses: a model's findings in a scan, and their state in the queue."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from classifier.findings import (
    ANSWERS,
    FINDING_LABELS,
    FINDINGS,
    OUTCOME_LABELS,
    TUMOR,
    TUMORS,
    likely_kinds,
    remaining,
)
from classifier.input_problems import blocking
from classifier.models import lengths
from classifier.models.analysis_query import AnalysisQuerySet, OpenAnalyses
from classifier.models.leased_job import running_has_lease


class Analysis(models.Model):
    """One run of one model version on one scan. The rows are also the queue: workers claim rows, not messages.

    ```
                    claim (attempts + 1, lease)             finish, token valid
      request ──► queued ───────────────────────► running ───────────────────────► succeeded
                    ▲ │                            │  │
                    │ └─ cancel ─► cancelled       │  └─ permanent error, or third attempt ─► failed
                    └──── lease expired, or transient error ◄──┘
    ```

    Only `classifier.queue` changes `state`, and only `classifier.queue.transitions` ends an analysis. A lease is held
    by its `lease_token`: a worker that returns after its lease expired finds another token and writes nothing.

    An analysis in shadow mode belongs to a commissioning. `objects`, `scan.analyses`, and all that is built on them
    leave it out, so that no page can forget to. Only the queue, the deletion of a scan, and the commissioning itself
    use `with_shadow`.
    """

    class State(models.TextChoices):
        """State in the queue."""

        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ACTIVE: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)
    QUEUE_ORDER: ClassVar[tuple[str, ...]] = ("fair_turn", "bulk", "queued_at", "pk")
    OUTCOME_CHOICES: ClassVar[list[tuple[str, str]]] = list(OUTCOME_LABELS.items())
    FINDING_CHOICES: ClassVar[list[tuple[str, str]]] = [(name, FINDING_LABELS[name]) for name in ANSWERS]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey("classifier.Scan", on_delete=models.CASCADE, related_name="analyses")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="requested_analyses"
    )
    model_name = models.CharField(max_length=lengths.MODEL_NAME)
    model_version = models.CharField(max_length=lengths.MODEL_NAME, blank=True, help_text="The version that ran.")

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=16, choices=OUTCOME_CHOICES, blank=True)
    finding = models.CharField(max_length=16, choices=FINDING_CHOICES, blank=True, help_text="When classified.")
    probabilities = models.JSONField(null=True, blank=True, help_text="Calibrated, in the order of FINDINGS.")
    possible_findings = models.JSONField(
        default=list, blank=True, help_text="Those that remain possible, most probable first."
    )
    answer_rule = models.JSONField(
        null=True, blank=True, editable=False, help_text="The thresholds that the answer was given with."
    )
    appearance = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="Appearance statistics of the input, as `classifier.inference.appearance` orders them. For drift.",
    )
    confidence = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1)])
    ood_score = models.FloatField(null=True, blank=True)
    milliseconds = models.FloatField(null=True, blank=True, help_text="The model's own time for this image.")

    attempts = models.PositiveSmallIntegerField(default=0)
    failure_code = models.CharField(max_length=32, blank=True)
    failure_message = models.CharField(max_length=lengths.SENTENCE, blank=True)

    queued_at = models.DateTimeField(auto_now_add=True)
    # Users take turns; see `classifier.queue.order.assign_fair_turn`.
    fair_turn = models.PositiveBigIntegerField(default=0, editable=False)
    bulk = models.BooleanField(default=False, editable=False, help_text="One of many that its owner has waiting.")
    # A row that met a transient error is delayed before its next attempt.
    available_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    commissioning = models.ForeignKey(
        "classifier.Commissioning",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="+",
        help_text="Of an analysis in shadow mode, which nobody sees.",
    )
    site_calibration = models.ForeignKey(
        "classifier.SiteCalibration",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="+",
        help_text="What the answer was calibrated with; empty for the model's card.",
    )
    logits = models.JSONField(
        null=True, blank=True, editable=False, help_text="The network's raw output. Of shadow analyses only."
    )

    # The first manager is the one of related objects and of everything that Django does by itself.
    objects = OpenAnalyses()
    with_shadow = AnalysisQuerySet.as_manager()

    # Whether the result is closed to the person this object was loaded for, and whether one was taken out of it.
    closed = False
    sealed = False
    # Whether it was loaded for a person, and whether an answer that the input check withholds was taken out of it.
    for_a_reader = False
    withheld = False

    class Meta:
        verbose_name_plural = "analyses"
        ordering = ("-queued_at", "-pk")
        indexes = (
            # Few rows among millions are queued or running: partial indexes hold only those.
            models.Index(
                fields=("fair_turn", "bulk", "queued_at", "id"),
                name="analysis_queue_order",
                condition=Q(state__in=("queued", "running")),
            ),
            models.Index(
                fields=("requested_by", "bulk", "fair_turn"),
                name="analysis_queue_by_user",
                condition=Q(state__in=("queued", "running")),
            ),
            models.Index(fields=("scan", "-queued_at"), name="analysis_of_scan"),
            models.Index(fields=("-queued_at", "-id"), name="analysis_newest"),
            models.Index(
                fields=("commissioning", "state"),
                name="analysis_of_commissioning",
                condition=Q(commissioning__isnull=False),
            ),
        )
        constraints = (
            running_has_lease("analysis_running_has_lease"),
            models.CheckConstraint(
                name="analysis_outcome_when_succeeded",
                condition=(Q(state="succeeded") & ~Q(outcome="")) | (~Q(state="succeeded") & Q(outcome="")),
            ),
            models.CheckConstraint(
                name="analysis_finding_when_classified",
                condition=(Q(outcome="classified") & ~Q(finding="")) | (~Q(outcome="classified") & Q(finding="")),
            ),
            models.CheckConstraint(
                name="analysis_probabilities_when_brain_mri",
                condition=Q(outcome__in=("classified", "uncertain"), probabilities__isnull=False)
                | (~Q(outcome__in=("classified", "uncertain")) & Q(probabilities__isnull=True)),
            ),
            models.CheckConstraint(
                name="analysis_reason_when_failed",
                condition=~Q(state="failed") | ~Q(failure_message=""),
            ),
            # A double click must request only one analysis.
            models.UniqueConstraint(
                fields=("scan", "model_name"),
                # A request by a person must not collide with an analysis that they cannot see.
                condition=Q(state__in=("queued", "running"), commissioning__isnull=True),
                name="analysis_active_once",
            ),
            models.UniqueConstraint(
                fields=("scan", "commissioning"),
                condition=Q(state__in=("queued", "running"), commissioning__isnull=False),
                name="analysis_in_shadow_once",
            ),
        )

    def __str__(self) -> str:
        return f"Analysis {str(self.pk)[:8]} ({self.state})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the analysis. Raise TypeError for a sealed or withheld one, whose result would be lost."""
        if self.sealed or self.withheld:
            raise TypeError("An analysis whose result was taken out is never saved.")
        super().save(*args, **kwargs)

    @property
    def input_codes(self) -> tuple[str, ...]:
        """Problems of the scan's image; see `Scan.input_codes`.

        Read from the scan, however this object was loaded: an answer that is withheld must not show because a query
        left the scan out. Lists load the scan in the same query.
        """
        if self.scan_id is None:
            return ()
        return self.scan.input_codes

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Load the row again. A closed analysis is sealed again, and a withheld answer taken out."""
        super().refresh_from_db(*args, **kwargs)
        if self.closed:
            self.seal()
        elif self.for_a_reader:
            self.withhold()

    def withhold(self) -> None:
        """Take an answer that the input check withholds out of this object, which is loaded for a reader.

        The row keeps it. What the input check found is not hidden.
        """
        self.for_a_reader = True
        answered = self.outcome in ("classified", "uncertain")
        self.withheld = answered and bool(blocking(self.input_codes))
        if self.withheld:
            self._take_out_result()

    def seal(self) -> None:
        """Take the result out of this object. The row keeps it; a succeeded analysis without an outcome is sealed."""
        self.closed = True
        if self.state != self.State.SUCCEEDED:
            return
        self.sealed = True
        self._take_out_result()

    def _take_out_result(self) -> None:
        self.outcome = self.finding = ""
        self.probabilities = self.confidence = self.ood_score = None
        self.possible_findings = []
        self.answer_rule = self.logits = None

    @property
    def is_retry(self) -> bool:
        """Whether an earlier attempt was lost or failed. The image itself may crash the worker."""
        return self.attempts > 1

    @property
    def in_shadow(self) -> bool:
        """Whether it runs in shadow mode, for a commissioning."""
        return self.commissioning_id is not None

    @property
    def is_finished(self) -> bool:
        """Whether the analysis has ended."""
        return self.state not in self.ACTIVE

    @property
    def saliency_finding(self) -> str:
        """The tumor whose class map is shown: the finding, or the likeliest kind of an unknown tumor; else ""."""
        if self.finding in TUMORS:
            return self.finding
        if self.finding == "notumor" or not self.probabilities:
            return ""
        if self.finding != TUMOR and not set(self.possible_findings) & set(TUMORS):
            return ""
        return likely_kinds(self.probabilities, self.possible_findings)[0]

    @property
    def remaining_findings(self) -> tuple[str, ...]:
        """Findings that remain possible, most probable first; also of rows that older versions stored."""
        return remaining(self.probabilities, self.possible_findings) if self.probabilities else ()

    @property
    def tumor_probability(self) -> float | None:
        """Calibrated probability of a tumor of any kind; None without probabilities."""
        return None if not self.probabilities else 1.0 - self.probabilities[FINDINGS.index("notumor")]
