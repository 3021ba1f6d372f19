"""Throughput of several worker processes on PostgreSQL and Redis, with the network replaced by a fixed wait.

`python -m bench.scaling [--quick]` shows what the queue and the database allow, apart from the processors that the
network would need. The installation's own worker stands still; workers of `bench.waiting_worker` take its place.
Linux only.
"""

import contextlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.installation import PACKAGES, Installation, arguments, conditions, installation, result_path
from bench.machine import write_result
from bench.throughput import stored_rate
from devtools.running import ROOT

WAIT_SECONDS = 0.05
"""The wait per image in place of the network."""
PREFIX = "scaling:"
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the measurement: numbers of workers, analyses per worker, rounds, and single uploads for the latency."""

    workers: tuple[int, ...]
    analyses: int
    rounds: int
    singles: int


FULL, QUICK = Size((1, 2, 4), 160, 3, 40), Size((1, 2), 48, 1, 8)


@dataclass(frozen=True, slots=True)
class Workers:
    """Running workers.

    Attributes:
        processes: The processes.
        files: Their files of counted statements.
    """

    processes: "list[subprocess.Popen[bytes]]"
    files: list[Path]

    def statements(self) -> int:
        """Return the number of database statements so far."""
        return sum(int(file.read_text()) for file in self.files)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop them with SIGSTOP inside the block, so that they claim nothing."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self.processes:
                process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def workers(running: Installation, count: int, folder: Path) -> Iterator["Workers"]:
    """Start workers and wait until they have sent a heartbeat."""
    files = [folder / f"statements-{count}-{number}" for number in range(count)]
    processes = []
    command = [sys.executable, "-m", "celery", "-A", "bench.waiting_worker", "worker", "--pool", "threads"]
    try:
        for number, file in enumerate(files):
            environment = running.quiet_environment() | {"STATEMENTS_FILE": str(file), "QUEUE_PREFIX": PREFIX}
            processes.append(
                subprocess.Popen(
                    [*command, "--concurrency", "2", "-n", f"w{number}@%h", "--loglevel", "WARNING"],
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        pids = ", ".join(str(process.pid) for process in processes)
        deadline = time.monotonic() + START_SECONDS
        while running.read(f"SELECT count(*) FROM classifier_workerprocess WHERE pid IN ({pids})")[0][0] < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{count} workers did not start within {START_SECONDS} s.")
            time.sleep(0.2)
        yield Workers(processes, files)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def measure(running: Installation, size: Size, folder: Path) -> list[dict[str, float]]:
    """Measure each number of workers."""
    rows = []
    running.fill("scans", str(size.analyses * max(size.workers)))
    for count in size.workers:
        ideal = count / WAIT_SECONDS
        with workers(running, count, folder) as started:
            running.wait_until_idle()
            rates, statements = [], []
            for _ in range(size.rounds):
                before = started.statements()
                total = size.analyses * count
                with started.stopped():
                    running.fill("again", str(total), prefix=PREFIX)
                running.wait_until_idle()
                time.sleep(1.0)
                statements.append((started.statements() - before) / total)
                finished = [row.finished for row in running.analyses()[-total:]]
                rates.append(stored_rate([moment for moment in finished if moment is not None]))
            waits = _claim_latency(running, size.singles)
        rate = statistics.median(rates)
        rows.append(
            {
                "workers": count,
                "analyses_a_second": round(rate, 2),
                "ideal": round(ideal, 1),
                "share": round(rate / ideal, 3),
                "claim_milliseconds_p50": round(statistics.median(waits) * 1000, 1),
                "claim_milliseconds_p95": round(sorted(waits)[int(0.95 * (len(waits) - 1))] * 1000, 1),
                "statements_an_analysis": round(statistics.median(statements), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _claim_latency(running: Installation, count: int) -> list[float]:
    """Return the seconds from the commit of single analyses to their claims, while nothing else waits."""
    running.fill("singles", str(count), prefix=PREFIX)
    running.wait_until_idle()
    return [row.started - row.queued for row in running.analyses()[-count:] if row.started is not None]


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__)
    size = QUICK if options.quick else FULL
    with (
        tempfile.TemporaryDirectory(prefix="brainscan-scaling-") as folder,
        installation("servers") as running,
        running.worker_stopped(),
    ):
        state = conditions()
        rows = measure(running, size, Path(folder))
        failed = running.count("failed", "cancelled")
    content: dict[str, object] = {
        **state,
        "wait_seconds": WAIT_SECONDS,
        "analyses_per_worker": size.analyses,
        "rounds": size.rounds,
        "failed": failed,
        "workers": rows,
    }
    write_result(result_path("scaling", quick=options.quick), content=content, packages=PACKAGES)


if __name__ == "__main__":
    main()
