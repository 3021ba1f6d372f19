"""Memory over thousands of analyses, and how soon a worker is ready.

`python -m bench.memory [--quick]` keeps the worker busy with analyses of real images, most of them asked for through
the services (`bench.fill`), the rest uploaded over HTTP all the while by a client that waits for the results. It
samples the memory of every program from `/proc` (Linux only). Growth is what a program holds around the last analysis
more than around the first ones; before that, caches and pools fill. At the end the worker is started anew some times.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from bench.client import PATH, Load, Stream, Upload, run_client
from bench.installation import PACKAGES, Installation, arguments, conditions, installation, result_path
from bench.machine import memory, write_result
from devtools.running import ROOT

HTTP_RATE = 0.5
SAMPLE_SECONDS = 2.0
# A client's load is handed over in pieces, so that it ends soon after the last analysis.
PIECE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the measurement: analyses, first analysis of the growth, repeated scans, starts."""

    analyses: int
    settled: int
    scans: int
    starts: int


FULL, QUICK = Size(analyses=5000, settled=500, scans=240, starts=5), Size(analyses=120, settled=40, scans=24, starts=1)


@dataclass
class Sample:
    """The memory of each program at one moment, in MiB, each summed over the program's processes."""

    finished: int
    resident: dict[str, float] = field(default_factory=dict)
    private: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, running: Installation) -> "Sample":
        """Take a sample now."""
        sample = cls(running.count("succeeded", "failed", "cancelled"))
        for name, pids in running.processes().items():
            held = [memory(pid) for pid in pids]
            sample.resident[name] = round(sum(entry["resident"] for entry in held), 1)
            sample.private[name] = round(sum(entry["private"] for entry in held), 1)
        return sample


class Uploads:
    """A client that uploads a little all the time."""

    def __init__(self, running: Installation) -> None:
        self._running = running
        self._stream = Stream("person", running.token("person"), rate=HTTP_RATE, wait=1.0)
        self._over = False
        self.done: list[Upload] = []
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further piece and wait for the last one."""
        self._over = True
        self._thread.join()

    def _work(self) -> None:
        while not self._over:
            begun = len(self.done)
            load = Load(self._running.url, PATH, [self._stream], PIECE_SECONDS, seed=begun, first_image=begun)
            self.done += run_client(load)


def watch(running: Installation, *, size: Size) -> tuple[list[Sample], int]:
    """Run the analyses. Returns the samples, and how many uploads came over HTTP."""
    running.fill("scans", str(size.scans))
    uploads = Uploads(running)
    samples = [Sample.of(running)]
    worker = running.worker()
    filling = subprocess.Popen(
        [sys.executable, "-m", "bench.fill", "keep", str(size.analyses)], cwd=ROOT, env=running.quiet_environment()
    )
    try:
        while samples[-1].finished < size.analyses:
            time.sleep(SAMPLE_SECONDS)
            samples.append(Sample.of(running))
            if len(samples) % 30 == 0:
                print(samples[-1], flush=True)
        uploads.stop()
        if filling.wait() or running.worker() != worker:
            raise SystemExit("The worker or the filling process ended while memory was watched.")
    finally:
        filling.kill()
    return samples, len(uploads.done)


def around(samples: list[Sample], *, analyses: int, window: int, program: str, kind: str) -> float:
    """Return median memory of a program while so many analyses had ended, a window of them long."""
    near = [s for s in samples if analyses <= s.finished <= analyses + window] or [
        min(samples, key=lambda s: abs(s.finished - analyses))
    ]
    held: list[dict[str, float]] = [getattr(sample, kind) for sample in near]
    return statistics.median(entry[program] for entry in held)


def summarize(samples: list[Sample], *, size: Size) -> dict[str, dict[str, float]]:
    """Memory of each program at the start, when settled, at the end, the most of it, and its growth."""
    window = size.settled // 5
    figures = {}
    for program in samples[0].resident:
        figures[program] = {"at_start": samples[0].resident[program]}
        for kind in ("resident", "private"):
            settled = around(samples, analyses=size.settled, window=window, program=program, kind=kind)
            end = around(samples, analyses=size.analyses - window, window=window, program=program, kind=kind)
            figures[program] |= {
                f"{kind}_settled": round(settled, 1),
                f"{kind}_at_end": round(end, 1),
                f"{kind}_growth": round(end / settled - 1, 4),
            }
        figures[program]["most"] = max(sample.resident[program] for sample in samples)
    return figures


def start_seconds(running: Installation, *, starts: int) -> list[float]:
    """Start the worker anew and read how long each process took until it worked on the queue."""
    seconds = []
    for _ in range(starts):
        old = running.worker()
        os.kill(old, signal.SIGTERM)
        running.app.wait_for(lambda old=old: running.app.children().get("worker", old) != old)  # type: ignore[misc]
        new = running.worker()
        query = f"SELECT 1 FROM classifier_workerprocess WHERE pid = {new}"
        running.app.wait_for(lambda query=query: bool(running.read(query)))  # type: ignore[misc]
        seconds.append(round(ready_seconds(running, pid=new), 2))
    return seconds


def ready_seconds(running: Installation, *, pid: int) -> float:
    """From the start of a worker's process (proc(5): field 22 of its `stat`, in ticks since boot) to its readiness."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    begun = time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    return running.worker_ready_at(pid) - begun


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__)
    size = QUICK if options.quick else FULL
    state = conditions()
    with installation("embedded") as running:
        samples, uploaded = watch(running, size=size)
        running.wait_until_idle()
        succeeded, failed = running.count("succeeded"), running.count("failed", "cancelled")
        programs = summarize(samples, size=size)
        starts = start_seconds(running, starts=size.starts)
    content: dict[str, object] = {
        **state,
        "analyses": size.analyses,
        "growth_counts_from": size.settled,
        "uploaded_over_http": uploaded,
        "succeeded": succeeded,
        "failed": failed,
        "programs_mebibytes": programs,
        "worker_ready_seconds": starts,
        "samples": [vars(sample) for sample in samples[:: max(1, len(samples) // 50)]],
    }
    write_result(result_path("memory", quick=options.quick), content=content, packages=PACKAGES)
    for program, figures in programs.items():
        print(program, figures)
    print("worker ready after", starts, "s")


if __name__ == "__main__":
    main()
