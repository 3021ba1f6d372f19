"""Description of the machine, and output of the figures; shared by all benchmarks."""

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
# Processor features that decide the speed of a network: vector widths, and 8- and 16-bit instructions.
FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
)
NOT_INSTALLED = "not installed"


def describe_machine(packages: Sequence[str]) -> dict[str, object]:
    """Describe processor, memory, system, and the versions of what ran.

    Args:
        packages: Names of distributions, as `pip` knows them.

    Returns:
        `processor`, `cores` (that this process may use), `flags`, `memory_gibibytes`, `system`, and `versions`: of
        Python and of each package, `not installed` where it is missing.
    """
    return {
        "processor": _cpuinfo("model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flag in _cpuinfo("flags").split()],
        "memory_gibibytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in packages},
    }


def write_result(path: Path, *, content: Mapping[str, object], packages: Sequence[str]) -> None:
    """Write a benchmark's figures as JSON, with the date and the machine they are from.

    Args:
        path: Target, usually `RESULTS / "<name>.json"`; its folder is made if need be.
        content: The figures.
        packages: The distributions whose versions matter to them.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    document = {"date": now, "machine": describe_machine(packages)} | dict(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def memory(process: int | None = None) -> dict[str, float]:
    """Return a process's memory in MiB (Linux, `/proc/PID/smaps_rollup`); its own without an argument.

    Returns:
        `resident` (pages in memory), `proportional` (shared pages counted by their share), `private` (its own
        alone) and `peak` (the most that ever was resident).
    """
    folder = Path("/proc") / ("self" if process is None else str(process))
    kibibytes: dict[str, int] = {}
    for name in ("smaps_rollup", "status"):
        for line in (folder / name).read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(":")
            if value.endswith(" kB"):
                kibibytes[key] = int(value.split()[0])
    sums = {
        "resident": kibibytes["Rss"],
        "proportional": kibibytes["Pss"],
        "private": kibibytes["Private_Clean"] + kibibytes["Private_Dirty"],
        "peak": kibibytes["VmHWM"],
    }
    return {name: round(value / 1024, 1) for name, value in sums.items()}


def _cpuinfo(field: str) -> str:
    """Return the first processor's value of a field of `/proc/cpuinfo`, empty if there is none."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED
