"""Short descriptions of many numbers."""

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float], *, digits: int = 1) -> dict[str, float | int]:
    """Return `count`, `p50`, `p95` and `max` of values, rounded; `count` alone if there are none."""
    if not len(values):
        return {"count": 0}
    p50, p95 = np.percentile(values, [50, 95])
    return {
        "count": len(values),
        "p50": round(float(p50), digits),
        "p95": round(float(p95), digits),
        "max": round(float(max(values)), digits),
    }


def milliseconds(seconds: Sequence[float]) -> dict[str, float | int]:
    """`spread` of durations given in seconds, in milliseconds."""
    return spread([value * 1000.0 for value in seconds])
