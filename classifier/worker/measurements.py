"""Measurements of a pipeline: thread-safe histograms and counts since its start."""

from bisect import bisect_left
from collections import Counter
from threading import Lock
from typing import Any

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAITING_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Histogram:
    """Counts of observations up to each bound, with the sum of all observations."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Count one observation."""
        with self._lock:
            self._counts[bisect_left(self.bounds, value)] += 1
            self._sum += value

    def as_dict(self) -> dict[str, Any]:
        """Return `buckets` (pairs of a bound and the count up to it), `sum` and `count` as JSON values."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets, reached = [], 0
        for bound, count in zip(self.bounds, counts, strict=False):
            reached += count
            buckets.append([bound, reached])
        return {"buckets": buckets, "sum": round(total, 6), "count": sum(counts)}


class Measurements:
    """The histograms and counts of one pipeline.

    Attributes:
        batch_size: Images of each forward pass.
        queued_seconds: Time from each analysis's request to its first claim.
        decode_seconds: Time to read and preprocess each batch.
        forward_seconds: Time of each forward pass.
        write_seconds: Time to store the results of each batch.
    """

    def __init__(self) -> None:
        self.batch_size = Histogram(IMAGES)
        self.queued_seconds = Histogram(WAITING_SECONDS)
        self.decode_seconds = Histogram(SECONDS)
        self.forward_seconds = Histogram(SECONDS)
        self.write_seconds = Histogram(SECONDS)
        self._finished: Counter[str] = Counter(succeeded=0, failed=0, released=0, late=0)
        self._lock = Lock()

    def count(self, what: str, *, number: int = 1) -> None:
        """Count attempts that ended as `succeeded`, `failed`, `released` (for another attempt) or `late`."""
        with self._lock:
            self._finished[what] += number

    def as_dict(self) -> dict[str, Any]:
        """Return all measurements as JSON values."""
        histograms = {name: value.as_dict() for name, value in vars(self).items() if isinstance(value, Histogram)}
        with self._lock:
            return histograms | {"finished": dict(self._finished)}
