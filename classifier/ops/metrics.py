"""`/metrics`: the queue and its workers in the text format of Prometheus.

Everything is read from the database, so every web process gives the same answer. Labels are states, numbers, and names
that an operator chose; none identifies a patient or a user.
"""

import platform
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from classifier.models import Analysis, WorkerProcess
from classifier.queue.claim import MAX_ATTEMPTS
from classifier.queue.state import finished_counts, live_workers, queue_state
from classifier.selectors.installation import last_backup

logger = structlog.get_logger(__name__)

VERSION = "0.1.0"
# Counting finished analyses reads every row. It may take at most this share of the time: a small installation counts at
# every scrape, one with a million analyses about once per minute.
COUNTING_SHARE = 0.01
FINISHED = (Analysis.State.SUCCEEDED, Analysis.State.FAILED, Analysis.State.CANCELLED)
ATTEMPTS = range(MAX_ATTEMPTS + 1)
HISTOGRAMS = {
    "queued_seconds": "Time that an analysis waited for its first attempt.",
    "decode_seconds": "Reading and preprocessing the images of a batch.",
    "forward_seconds": "The network's forward pass of a batch.",
    "write_seconds": "Storing the results of a batch.",
    "batch_size": "Images of a forward pass.",
}
# Proxies add these headers to requests that they forward.
PROXY_HEADERS = {"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip"}


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics; 404 without permission, 503 while the database is unavailable."""
    if not may_read(request):
        raise Http404
    try:
        return HttpResponse(generate_latest(_EVERYTHING), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except DatabaseError as error:
        logger.warning("metrics_without_database", error=repr(error))
        return HttpResponse("The database is unavailable.\n", status=503, content_type="text/plain")


def may_read(request: HttpRequest) -> bool:
    """Return True for the holder of the token or, if none is set, local programs and signed-in staff."""
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    return _is_local(request) or (request.user.is_authenticated and request.user.is_staff)


def _is_local(request: HttpRequest) -> bool:
    """Return True if the client is a program on this machine and not a proxy for an external client."""
    # TLS ends at a proxy, which may forward requests without naming their client.
    if settings.SECURE_PROXY_SSL_HEADER or settings.SECURE_SSL_REDIRECT:
        return False
    if any(name in PROXY_HEADERS or name.startswith("X-Forwarded-") for name in request.headers):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # A Unix socket has none.
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class FinishedCounts:
    """Cached counts of finished analyses. Thread-safe."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] | None = None
        self._stale_at = float("-inf")
        self._counting = threading.Lock()

    def read(self) -> dict[tuple[str, int], int] | None:
        """Return the counts, updated if they are due and no other thread is counting. None before the first count."""
        if time.monotonic() >= self._stale_at and self._counting.acquire(blocking=False):
            try:
                began = time.monotonic()
                self._counts = finished_counts()
                took = time.monotonic() - began
                self._stale_at = began + took / COUNTING_SHARE
            finally:
                self._counting.release()
        return self._counts


_finished = FinishedCounts()


class Everything(Collector):
    """Read all metrics at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, with at most three queries."""
        build = {"version": VERSION, "python": platform.python_version()}
        yield InfoMetricFamily("brainscan_build", "The version that runs here.", build)
        yield from _queue()
        yield from _finished_analyses()
        yield from _workers()
        if backup := last_backup():
            yield GaugeMetricFamily(
                "brainscan_last_backup_timestamp_seconds", "When the newest backup was made.", backup.at.timestamp()
            )


_EVERYTHING = Everything()


def _queue() -> Iterator[Metric]:
    state = queue_state()
    yield _labelled(
        GaugeMetricFamily("brainscan_queue_depth", "Analyses that wait or run.", labels=["state"]),
        {("queued",): state.queued, ("running",): state.running},
    )
    yield _labelled(
        GaugeMetricFamily("brainscan_queue_attempts", "Queued and running analyses by attempts.", labels=["attempts"]),
        {(str(number),): state.by_attempts.get(number, 0) for number in ATTEMPTS},
    )
    yield GaugeMetricFamily(
        "brainscan_queue_oldest_seconds", "Age of the oldest analysis that waits for a worker.", state.oldest_seconds
    )
    yield GaugeMetricFamily(
        "brainscan_queue_expired_leases", "Running analyses whose worker no longer responds.", state.expired_leases
    )


def _finished_analyses() -> Iterator[Metric]:
    counts = _finished.read()
    if counts is not None:
        yield _labelled(
            GaugeMetricFamily(
                "brainscan_finished_analyses",
                "Stored analyses that have ended; with very many, as counted some minutes ago.",
                labels=["state", "attempts"],
            ),
            {(state, str(number)): counts.get((state, number), 0) for state in FINISHED for number in ATTEMPTS},
        )


def _workers() -> Iterator[Metric]:
    # Newest report first: of two with one label, such as a container's that was killed and started again, it counts.
    workers: dict[str, WorkerProcess] = {}
    for worker in live_workers():
        workers.setdefault(f"{worker.host}:{worker.pid}", worker)
    yield GaugeMetricFamily("brainscan_workers", "Worker processes that have sent a heartbeat recently.", len(workers))
    yield _labelled(
        GaugeMetricFamily(
            "brainscan_worker_info", "What a worker runs.", labels=["worker", "model", "version", "engine"]
        ),
        {(name, w.model_name, w.model_version, w.engine): 1 for name, w in workers.items()},
    )
    yield _labelled(
        GaugeMetricFamily("brainscan_worker_start_time_seconds", "When a worker started.", labels=["worker"]),
        {(name,): worker.started_at.timestamp() for name, worker in workers.items()},
    )
    yield _labelled(
        CounterMetricFamily(
            "brainscan_worker_analyses", "Attempts of a worker by how they ended.", labels=["worker", "result"]
        ),
        {
            (name, result): number
            for name, worker in workers.items()
            for result, number in worker.measurements.get("finished", {}).items()
        },
    )
    for measured, help_text in HISTOGRAMS.items():
        family = HistogramMetricFamily(f"brainscan_worker_{measured}", help_text, labels=["worker"])
        for name, worker in workers.items():
            if histogram := worker.measurements.get(measured):
                buckets = [(str(float(bound)), count) for bound, count in histogram["buckets"]]
                family.add_metric([name], [*buckets, ("+Inf", histogram["count"])], histogram["sum"])
        yield family


def _labelled(family: GaugeMetricFamily | CounterMetricFamily, values: dict[tuple[str, ...], float]) -> Metric:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
