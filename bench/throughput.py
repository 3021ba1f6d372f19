"""Throughput from queue to stored result, as a share of the bare engine's rate.

`python -m bench.throughput [--servers] [--quick]` fills the queue while the worker stands still, lets it work the queue
off, and reads from the database how fast results were stored. Before and after each round the bare engine runs in a
process of its own while the worker stands still, so both see the machine in the same state. Linux only.
"""

import statistics
from dataclasses import dataclass

from bench.bare import BareEngine, bare_engine
from bench.installation import (
    PACKAGES,
    Installation,
    arguments,
    conditions,
    installation,
    result_path,
)
from bench.machine import write_result

# The first and last of a round are left out: the worker is still reading the first, and has no successor for the last.
EDGE = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the measurement: rounds, analyses in each, images of the bare engine before and after each."""

    rounds: int
    analyses: int
    bare: int


FULL, QUICK = Size(rounds=8, analyses=96, bare=48), Size(rounds=1, analyses=48, bare=24)


def stored_rate(finished: list[float]) -> float:
    """Results stored a second over the steady part of a round.

    Args:
        finished: when each result was stored, in seconds. Results of one batch are stored at the same moment, so the
            steady part runs from one such moment to another and counts what was stored after the first.
    """
    times = sorted(finished)[EDGE:-EDGE]
    first, last = times[0], times[-1]
    return sum(time > first for time in times) / (last - first)


def measure(running: Installation, bare: BareEngine, *, size: Size) -> list[dict[str, float]]:
    """Run the rounds: bare, pipeline, bare, pipeline, …, bare."""
    with running.worker_stopped():
        running.fill("scans", str(size.analyses))
        before = bare.rate(size.bare)
    rounds = []
    for number in range(size.rounds):
        running.wait_until_idle()
        finished = [row.finished for row in running.analyses()[-size.analyses :]]
        with running.worker_stopped():
            after = bare.rate(size.bare)
            if number < size.rounds - 1:
                running.fill("again", str(size.analyses))
        pipeline = stored_rate([time for time in finished if time is not None])
        engine = (before + after) / 2
        rounds.append({"bare": round(engine, 3), "pipeline": round(pipeline, 3), "share": round(pipeline / engine, 4)})
        print(f"bare {engine:.2f}/s, pipeline {pipeline:.2f}/s: {pipeline / engine:.1%}", flush=True)
        before = after
    return rounds


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__, kinds=True)
    size = QUICK if options.quick else FULL
    with installation(options.kind) as running, bare_engine() as bare:
        state = conditions()
        rounds = measure(running, bare, size=size)
        failed = running.count("failed", "cancelled")
        # The reports come every few seconds; the last one is the one that counts.
        steps = running.measurements()
    content: dict[str, object] = {
        "kind": options.kind,
        "engine": bare.engine,
        **state,
        "analyses_a_round": size.analyses,
        "rounds": rounds,
        "bare_images_a_second": round(statistics.median(entry["bare"] for entry in rounds), 2),
        "pipeline_images_a_second": round(statistics.median(entry["pipeline"] for entry in rounds), 2),
        "share": round(statistics.median(entry["share"] for entry in rounds), 3),
        "failed": failed,
        "worker_steps_seconds": steps,
    }
    write_result(result_path("throughput", quick=options.quick, kind=options.kind), content=content, packages=PACKAGES)
    print(f"share of the bare engine's rate (median of rounds): {content['share']:.1%}")


if __name__ == "__main__":
    main()
