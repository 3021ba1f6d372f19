"""What a thousand images a second would take, computed from measured figures alone."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from bench.markdown import table

RATE = 1000
"""Images per second."""
NEEDED = ("scaling", "throughput-servers", "history-servers")


def arithmetic(results: Mapping[str, dict[str, Any]]) -> str:
    """Return the needs of `RATE` images a second; "" unless every measurement that they are computed from is there."""
    if not all(name in results for name in NEEDED) or "writes" not in results["history-servers"]:
        return ""
    workers = results["scaling"]["workers"]
    one, most = workers[0], workers[-1]
    pipeline = results["throughput-servers"]
    stored = median(row["pipeline"] for row in pipeline["rounds"])
    writes = results["history-servers"]["writes"]
    upload, claim = writes["upload"]["full"], writes["claim"]["full"]
    cores = pipeline["machine"]["cores"]
    per_worker = most["analyses_a_second"] / most["workers"]
    statements = upload["statements"] + most["statements_an_analysis"]
    rows = [
        ("machines like this one, each with the network on its own processors", _cell(RATE / stored, 0),
         f"{stored:.1f} stored results per second on {cores} cores ({pipeline['engine']})"),
        (f"worker processes whose network takes {1000 * results['scaling']['wait_seconds']:.0f} ms per image",
         f"{RATE / one['analyses_a_second']:.0f}–{RATE / per_worker:.0f}",
         f"{one['analyses_a_second']:.1f} analyses per second with one worker, {per_worker:.1f} each with "
         f"{most['workers']}"),
        ("database statements per second", _cell(RATE * statements, 0),
         f"{upload['statements']:.0f} per upload, {most['statements_an_analysis']:.1f} per analysis in a worker"),
        ("transactions per second of the uploads", _cell(RATE * upload["transactions"], 0),
         f"{upload['transactions']:.0f} per upload, single statements included"),
        ("connections busy with uploads at any time", _cell(RATE * upload["database"]["p50"] / 1000, 1),
         f"{upload['database']['p50']:.1f} ms in the database per upload, median"),
        (f"connections busy with claims of {writes['claimed_at_once']} analyses at any time",
         _cell(RATE / writes["claimed_at_once"] * claim["database"]["p50"] / 1000, 1),
         f"{claim['database']['p50']:.1f} ms in the database per claim, median"),
        ("processor cores of web processes", _cell(RATE * upload["processor"]["p50"] / 1000, 1),
         f"{upload['processor']['p50']:.1f} ms of processor time per upload, median, without HTTP and without the "
         "child process that decodes the file"),
    ]  # fmt: skip
    writes_load, cores_of_writes = results["history-servers"]["load_average_before"][0], _cores(results)
    return (
        f"{table((f'for {RATE:,} images per second', 'needed', 'measured'), rows)}\n\nThe times of uploads and claims "
        f"were measured at a load average of {writes_load:.1f} on {cores_of_writes} cores: where it exceeds the cores, "
        "the lines that follow from them are too high. The decoding of files is left out."
    )


def _cores(results: Mapping[str, dict[str, Any]]) -> int:
    return int(results["history-servers"]["machine"]["cores"])


def _cell(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"
