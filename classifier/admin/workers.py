"""Worker processes and the state of the queue."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from classifier.admin.read_only import ReadOnlyAdmin
from classifier.models import WorkerProcess
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from classifier.queue.state import queue_state
from classifier.wording import duration


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnlyAdmin):
    """Workers of the last day, with their state and measurements, below a summary of the queue."""

    STEPS = (
        ("queued_seconds", "waiting for a worker", "an analysis"),
        ("decode_seconds", "reading images", "a batch"),
        ("forward_seconds", "the network", "a batch"),
        ("write_seconds", "storing results", "a batch"),
    )

    list_display = (
        "worker",
        "alive",
        "model_name",
        "model_version",
        "engine",
        "started_at",
        "last_report",
        "succeeded",
        "failed",
        "released",
        "images_per_batch",
        "network_time",
    )
    fields = (
        ("host", "pid"),
        ("model_name", "model_version", "engine"),
        ("started_at", "last_report", "alive"),
        "loaded_models",
        ("succeeded", "failed", "released", "late"),
        "images_per_batch",
        "times",
    )
    # Read-only pages show methods only if they are listed here.
    readonly_fields = (
        "alive",
        "loaded_models",
        "last_report",
        "succeeded",
        "failed",
        "released",
        "late",
        "images_per_batch",
        "times",
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the workers below a summary of the queue."""
        state = queue_state()
        line = f"{state.queued:,} queued, {state.running:,} running"
        if state.oldest_seconds:
            line += f", the oldest waiting for {duration(1000 * state.oldest_seconds)}"
        if state.expired_leases:
            line += f", {state.expired_leases:,} left behind by their worker"
        return super().changelist_view(request, {"subtitle": line, **(extra_context or {})})

    @admin.display(ordering="host")
    def worker(self, row: WorkerProcess) -> str:
        """Return the name of the process, as in `/metrics`."""
        return f"{row.host}:{row.pid}"

    @admin.display(boolean=True)
    def alive(self, row: WorkerProcess) -> bool:
        """Return True if its last heartbeat is recent."""
        return row.heartbeat_at >= timezone.now() - timedelta(seconds=HEARTBEAT_TIMEOUT)

    @admin.display(ordering="heartbeat_at")
    def last_report(self, row: WorkerProcess) -> str:
        """Return the time since its last heartbeat."""
        return str(naturaltime(row.heartbeat_at))

    @admin.display
    def succeeded(self, row: WorkerProcess) -> int:
        """Return the number of attempts that gave a result."""
        return _finished(row, "succeeded")

    @admin.display
    def failed(self, row: WorkerProcess) -> int:
        """Return the number of attempts that ended with a permanent error."""
        return _finished(row, "failed")

    @admin.display(description="given back")
    def released(self, row: WorkerProcess) -> int:
        """Return the number of attempts with a transient error, after which the analysis was queued again or failed."""
        return _finished(row, "released")

    @admin.display(description="too late")
    def late(self, row: WorkerProcess) -> int:
        """Return the number of attempts whose analysis was deleted or claimed by another worker in the meantime."""
        return _finished(row, "late")

    @admin.display(description="images per batch", empty_value="–")
    def images_per_batch(self, row: WorkerProcess) -> str | None:
        """Return the mean number of images per forward pass since its start."""
        mean = _mean(row, "batch_size")
        return None if mean is None else f"{mean:.1f}"

    @admin.display(description="loaded models", empty_value="–")
    def loaded_models(self, row: WorkerProcess) -> str | None:
        """Return the models that it holds in memory, with their sizes."""
        loaded = row.measurements.get("models", {})
        parts = (f"{name} {entry['version']} ({entry['bytes'] / 2**20:.0f} MiB)" for name, entry in loaded.items())
        return ", ".join(parts) or None

    @admin.display(description="network, per batch", empty_value="–")
    def network_time(self, row: WorkerProcess) -> str | None:
        """Return the mean time of a forward pass since its start."""
        mean = _mean(row, "forward_seconds")
        return None if mean is None else duration(1000 * mean)

    @admin.display(description="mean times", empty_value="–")
    def times(self, row: WorkerProcess) -> SafeString | None:
        """Return the mean time of each step since its start."""
        means = [(words, each, _mean(row, name)) for name, words, each in self.STEPS]
        rows = [(words, duration(1000 * mean), each) for words, each, mean in means if mean is not None]
        if not rows:
            return None
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} {}</li>", rows))


def _finished(row: WorkerProcess, result: str) -> int:
    return int(row.measurements.get("finished", {}).get(result, 0))


def _mean(row: WorkerProcess, name: str) -> float | None:
    """Return the mean of a measurement; None if there are no observations yet."""
    histogram = row.measurements.get(name) or {"count": 0}
    return histogram["sum"] / histogram["count"] if histogram["count"] else None
