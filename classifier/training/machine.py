"""The machine that timed a network, so that times of different machines are not compared."""

import platform
from pathlib import Path

from classifier.inference.engines import thread_count


def describe_machine() -> str:
    """Return processor and threads of a network: "AMD EPYC, 2 threads"."""
    threads = thread_count()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _processor() -> str:
    """Return the name that Linux knows, else what Python knows."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
