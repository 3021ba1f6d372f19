"""The interface of engines, and shared code."""

import math
import os
from pathlib import Path
from typing import NamedTuple, Protocol

from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

MAX_THREADS = 16
"""More threads than this do not speed up a forward pass of a few images."""

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class EngineOutput(NamedTuple):
    """The output of one forward pass, for N images and C features.

    Attributes:
        logits: float32 `(N, 4)`; each is the spatial mean of its class map.
        features: float32 `(N, C)`, the spatial mean of the last feature maps.
        class_maps: float32 `(N, h, w, 4)`; `(N, 10, 10, 4)` for Xception at 299 pixels.
    """

    logits: Float32Array
    features: Float32Array
    class_maps: Float32Array


class Engine(Protocol):
    """Run one model. Engines need not be thread-safe: callers that share one hold a lock.

    Attributes:
        name: One of `ENGINES`.
        card: The model's card.
    """

    name: str
    card: ModelCard

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network.

        Args:
            batch: float32 `(N, size, size, channels)` in the card's value range; any N from 1 on.

        Returns:
            Logits, features and class maps, in arrays that nothing else references.
        """
        ...


def thread_count() -> int:
    """Return the number of threads for a forward pass, limited by processor affinity and container quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(available, _quota(), MAX_THREADS))


def _quota() -> int:
    """Return the processor quota of the container (cgroup v2), rounded up; `MAX_THREADS` without a quota."""
    try:
        allowed, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return math.ceil(int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # No such file, or "max".
        return MAX_THREADS
