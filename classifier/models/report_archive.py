"""Files made in the background: the PDF reports of many scans in one ZIP file, or an acceptance report as PDF."""

from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models.leased_job import LeasedJob, active_index, running_has_lease

MAX_TITLE = 120
ZIP_NAME, PDF_NAME = "reports.zip", "acceptance.pdf"


class ReportArchive(LeasedJob):
    """A request for the reports of many scans, or for the PDF file of an acceptance report, and how far it has come.

    ```
                    claim (attempts + 1, lease)           all done
      request ──► queued ─────────────────────► running ───────────► succeeded ──(a day)──► removed
                    ▲                            │  │
                    └── worker stops, or its lease expires
                                                    └─ third attempt, or the disk is full ──► failed ──► removed
    ```

    The rows are the queue, like those of `Analysis`: a message only notifies a worker. The reports that are made
    stay on the disk, so that another worker continues where a killed one stopped.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_archives")
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
    # The reader's, for the times in the reports.
    time_zone = models.CharField(max_length=64)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField()
    left_out = models.JSONField(default=dict, help_text="Identifiers of scans without a report, and why.")
    bytes = models.PositiveBigIntegerField(default=0, help_text="Size of the file.")

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            active_index("report_archive_queue"),
            models.Index(fields=("owner", "-created_at"), name="report_archive_of_owner"),
        )
        constraints = (running_has_lease("report_archive_running_has_lease"),)

    def __str__(self) -> str:
        return f"Archive {str(self.pk)[:8]} ({self.state})"

    def get_absolute_url(self) -> str:
        """Return the URL of its page."""
        return reverse("web:report_archive", args=[self.pk])

    @property
    def file_name(self) -> str:
        """The name of the finished file in its folder."""
        return ZIP_NAME if self.commissioning_id is None else PDF_NAME

    @property
    def file_kind(self) -> str:
        """The kind of the file, for people."""
        return "ZIP file" if self.commissioning_id is None else "PDF file"
