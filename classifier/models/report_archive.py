"""Files made in the background: the PDF reports of many scans in one ZIP file, or one PDF file."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from classifier.models import lengths
from classifier.models.leased_job import LeasedJob, active_index, running_has_lease

MAX_TITLE = 120


class LeftOut(models.TextChoices):
    """Why a scan has no report in a ZIP file. The labels are for people."""

    GONE = "gone", "deleted, or not visible to you"
    SEALED = "sealed", "sealed until you record your impression"
    UNMADE = "unmade", "its report could not be created"


class ReportArchive(LeasedJob):
    """A request for the reports of many scans, or for one PDF file, and how far it has come.

    ```
                    claim (attempts + 1, lease)           all done
      request ──► queued ─────────────────────► running ───────────► succeeded ──(a day)──► removed
                    ▲                            │  │
                    └── worker stops, its lease expires, or a shorter job waits
                                                    └─ third attempt, or the disk is full ──► failed ──► removed
    ```

    Every new report in the folder sets `attempts` back to 1: only interruptions without progress count.

    The rows are the queue, like those of `Analysis`: a message only notifies a worker. The reports that are made
    stay on the disk, so that another worker continues where a killed one stopped.
    """

    class Kind(models.TextChoices):
        """What the file holds."""

        ZIP = "zip", "Reports as a ZIP file"
        REPORT = "report", "Report as a PDF file"
        SUMMARY = "summary", "Table of scans as a PDF file"
        ACCEPTANCE = "acceptance", "Acceptance report as a PDF file"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_archives")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.ZIP)
    title = models.CharField(max_length=MAX_TITLE, help_text="What it holds, for people.")
    scan_ids = models.JSONField(help_text="The scans, in the order of the archive.")
    commissioning = models.ForeignKey(
        "classifier.Commissioning",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Of an acceptance report, which is one PDF file; then there are no scans.",
    )
    signed_report_id = models.UUIDField(
        null=True, blank=True, help_text="Of a report: this signed one; null is the valid report of the scan."
    )
    content_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of a report: hash of its content, so that equal requests share a file."
    )
    idempotency_key = models.CharField(max_length=lengths.IDEMPOTENCY_KEY, blank=True, editable=False)
    request_sha256 = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Hash of the request that had the idempotency key."
    )
    # The reader's, for the times in the reports.
    time_zone = models.CharField(max_length=64)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField()
    left_out = models.JSONField(default=dict, help_text="Identifiers of scans without a report, and why (`LeftOut`).")
    bytes = models.PositiveBigIntegerField(default=0, help_text="Size of the file.")

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            active_index("report_archive_queue"),
            models.Index(fields=("owner", "-created_at"), name="report_archive_of_owner"),
        )
        constraints = (
            running_has_lease("report_archive_running_has_lease"),
            models.UniqueConstraint(
                fields=("owner", "content_sha256"),
                condition=~Q(content_sha256="") & ~Q(state="failed"),
                name="report_archive_of_content_once",
            ),
            models.UniqueConstraint(
                fields=("owner", "idempotency_key"),
                condition=~Q(idempotency_key=""),
                name="report_archive_idempotency_key_once",
            ),
        )

    def __str__(self) -> str:
        return f"Archive {str(self.pk)[:8]} ({self.state})"

    def get_absolute_url(self) -> str:
        """Return the URL of its page."""
        return reverse("web:report_archive", args=[self.pk])

    @property
    def is_zip(self) -> bool:
        """Whether the file is a ZIP file; otherwise it is a PDF file."""
        return self.kind == self.Kind.ZIP

    @property
    def file_name(self) -> str:
        """The name of the finished file in its folder."""
        return {self.Kind.ZIP: "reports.zip", self.Kind.ACCEPTANCE: "acceptance.pdf"}.get(
            self.Kind(self.kind), "report.pdf"
        )

    @property
    def file_kind(self) -> str:
        """The kind of the file, for people."""
        return "ZIP file" if self.is_zip else "PDF file"
