"""The figures to reach, each read from a results file."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.markdown import table
from classifier.wording import percent

Result = dict[str, Any]
# 1.2 GB, in the unit of the figures.
WORKER_MEBIBYTES = 1.2e9 / 2**20
FASTEST = ("openvino", "openvino_bf16")
"""The engines that `auto` takes on processors without and with bfloat16."""


@dataclass(frozen=True, slots=True)
class Target:
    """One figure.

    Attributes:
        name: The figure.
        source: name of the results file.
        goal: The target, in words.
        value: reads the figure from the file.
        show: writes it.
        reached: whether it is good enough.
    """

    name: str
    source: str
    goal: str
    value: Callable[[Result], float]
    show: Callable[[float], str]
    reached: Callable[[float], bool]


def _one_digit(value: float) -> str:
    return percent(value, digits=1)


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms"


def _above(result: Result) -> Result:
    load: Result = result["loads"][-1]
    return load


def _pipeline(kind: str, words: str) -> list[Target]:
    return [
        Target(
            f"queue → stored result, share of the bare engine's rate ({words})",
            f"throughput{kind}",
            "≥ 90%",
            lambda result: float(result["share"]),
            _one_digit,
            lambda value: value >= 0.9,
        ),
        Target(
            f"upload → result seen by the client, added to the model's own time, median at low load ({words})",
            f"latency{kind}",
            "≤ 60 ms",
            lambda result: float(result["loads"][0]["added_until_seen_milliseconds"]["p50"]),
            _milliseconds,
            lambda value: value <= 60,
        ),
        Target(
            f"slowest answer to an upload at 120% of capacity ({words})",
            f"latency{kind}",
            "≤ 300 ms",
            lambda result: float(_above(result)["answer_milliseconds"]["max"]),
            _milliseconds,
            lambda value: value <= 300,
        ),
        Target(
            f"uploads at 120% of capacity without a 202 or without a result ({words})",
            f"latency{kind}",
            "0",
            lambda result: float(2 * _above(result)["uploads"] - _above(result)["taken"] - _above(result)["succeeded"]),
            lambda value: f"{value:.0f}",
            lambda value: value == 0,
        ),
    ]


def _engine(name: str) -> list[Target]:
    return [
        Target(
            f"{name}: whole analysis / Keras `predict` of the bare network, batch 1",
            "engines",
            "≤ 0.40",
            lambda result: float(result["engines"][name]["analysis"]["ratio"]),
            lambda value: f"{value:.2f}",
            lambda value: value <= 0.4,
        ),
        Target(
            f"{name}: labels that agree with Keras",
            "engines",
            "≥ 99.9%",
            lambda result: float(result["engines"][name]["agreement"]["labels_agree"]),
            lambda value: percent(value, digits=2),
            lambda value: value >= 0.999,
        ),
    ]


def _growth(program: str) -> Target:
    return Target(
        f"growth of the {program}'s memory over 5,000 analyses",
        "memory",
        "≤ 5%",
        lambda result: float(result["programs_mebibytes"][program]["resident_growth"]),
        _one_digit,
        lambda value: value <= 0.05,
    )


TARGETS = [
    *(target for engine in FASTEST for target in _engine(engine)),
    *_pipeline("", "SQLite"),
    *_pipeline("-servers", "PostgreSQL"),
    _growth("worker"),
    _growth("web"),
    Target(
        "peak memory of the worker",
        "memory",
        f"≤ {WORKER_MEBIBYTES:.0f} MiB (1.2 GB)",
        lambda result: float(result["programs_mebibytes"]["worker"]["most"]),
        lambda value: f"{value:.0f} MiB",
        lambda value: value <= WORKER_MEBIBYTES,
    ),
    Target(
        "slowest start of the worker until it is ready",
        "memory",
        "≤ 15 s",
        lambda result: float(max(result["worker_ready_seconds"])),
        lambda value: f"{value:.1f} s",
        lambda value: value <= 15,
    ),
]


def target_table(results: Mapping[str, Result]) -> str:
    """Return what is to be reached, what is, and whether that is enough."""
    rows = []
    for target in TARGETS:
        shown, verdict = "not measured", ""
        # An engine that the machine cannot run is in no file.
        with contextlib.suppress(KeyError):
            value = target.value(results[target.source])
            shown, verdict = target.show(value), "yes" if target.reached(value) else "**no**"
        rows.append([target.name, target.goal, shown, verdict])
    return table(("figure", "target", "measured", "met"), rows)
