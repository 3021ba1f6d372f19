"""Worker processes and their heartbeats."""

import uuid

from django.db import models

from classifier.models import lengths


class WorkerProcess(models.Model):
    """One run of a worker process, as of its last heartbeat. A restarted process gets a new row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    model_name = models.CharField(max_length=lengths.MODEL_NAME, help_text="The model it has loaded at its start.")
    model_version = models.CharField(max_length=lengths.MODEL_NAME)
    engine = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(db_index=True)
    measurements = models.JSONField(
        default=dict, help_text="Histograms since its start; see `classifier.worker.measurements`."
    )

    class Meta:
        verbose_name_plural = "worker processes"
        ordering = ("-heartbeat_at",)

    def __str__(self) -> str:
        return f"Worker {self.pid} on {self.host}"
