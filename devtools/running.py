"""A whole BrainScan in real processes, for tests that must not be fooled by shortcuts."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from devtools.servers import dying_with_us, free_port, postgres_server, redis_server

ROOT = Path(__file__).resolve().parent.parent
# Loading the network takes seconds, on a busy machine more.
START_SECONDS = 120
# Made from the weights once and found again by their digest: not by each of a dozen installations.
EXPORTS = ROOT / "var" / "exports"
LAST_LINES = 100
LONGEST_LINE = 500


@dataclass
class RunningApp:
    """A running `manage.py up`.

    Attributes:
        base_url: where the pages are.
        environment: Environment of the process; also used for management commands.
        log: the file with its output.
    """

    base_url: str
    environment: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        """Start and wait until pages are served and the network is loaded."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        self.process = subprocess.Popen(
            dying_with_us(sys.executable, "manage.py", "up"),
            cwd=ROOT,
            env=self.environment,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # On a busy machine, the migrations of a new database alone take more than two minutes.
        self.wait_for(lambda: self.is_live() and "model_loaded" in self.output()[begin:], seconds=300)

    def output(self) -> str:
        """Return its whole output."""
        return self.log.read_text(errors="replace")

    def last_lines(self) -> str:
        """The end of it, for a message."""
        return "\n".join(line[:LONGEST_LINE] for line in self.output().splitlines()[-LAST_LINES:])

    def is_live(self) -> bool:
        """Whether the web process answers."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/health/live", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Wait until `condition()` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"`up` stopped with {self.process.returncode}:\n{self.last_lines()}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.last_lines()}"
            time.sleep(0.1)

    def manage(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a management command on the same data."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=check, timeout=120
        )

    def children(self) -> dict[str, int]:
        """The supervised processes by name."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) != self.process.pid:
                    continue
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                name = next((n for n in ("worker", "beat", "gunicorn") if n in words), "broker")
                found[name] = int(folder.name)
        return found

    def stop(self, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(seconds)


@contextlib.contextmanager
def embedded_app(folder: Path, **environment: str) -> Iterator[RunningApp]:
    """`manage.py up` with the embedded default, its data in `folder`."""
    port = free_port()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "HTTPS", "DJANGO_SETTINGS_MODULE")
    }
    # A space and a per cent sign: signs that mean something in the broker's URL.
    own = {"DATA_DIR": str(folder / "our data%41"), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    own["EXPORTS_DIR"] = str(EXPORTS)
    app = RunningApp(f"http://127.0.0.1:{port}", inherited | own | environment, folder / "up.log")
    try:
        app.start()
        yield app
    finally:
        app.stop()


@contextlib.contextmanager
def server_app(folder: Path) -> Iterator[RunningApp]:
    """`manage.py up` on PostgreSQL and Redis."""
    for name in ("redis", "postgres"):
        (folder / name).mkdir()
    with (
        redis_server(folder / "redis") as redis_url,
        postgres_server(folder / "postgres") as database_url,
        embedded_app(
            folder,
            REDIS_URL=redis_url,
            DATABASE_URL=database_url,
            SECRET_KEY=secrets.token_urlsafe(50),
            HTTPS="0",
        ) as app,
    ):
        yield app
