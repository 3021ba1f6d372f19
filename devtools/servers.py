"""Real Redis and PostgreSQL servers for tests: given by the environment, or started here in a temporary folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

import pytest

from brainscan.processes.supervisor import PDEATHSIG

START_SECONDS = 30


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dying_with_us(*command: str) -> list[str]:
    """Return the command, wrapped so that it ends when the tests are killed."""
    return [sys.executable, "-S", str(PDEATHSIG), str(os.getpid()), str(int(signal.SIGTERM)), "0", *command]


@dataclass
class Server:
    """A server of our own, which tests may kill, freeze and start again.

    Attributes:
        url: where programs reach it.
        command: The command line.
        port: where it listens.
        data: its folder.
    """

    url: str
    command: Sequence[str]
    port: int
    data: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            dying_with_us(*self.command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self.port):
            assert self.process.poll() is None, f"{self.command[0]} stopped at its start"
            assert time.monotonic() < deadline, f"{self.command[0]} did not start within {START_SECONDS} s"
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, parents first."""
        for pid in family_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End all of its processes at once, as a power cut would."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Ask it to end."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def own_redis_server(folder: Path, *options: str) -> Iterator[Server]:
    """A Redis server that keeps its data in `folder`."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed and TEST_REDIS_URL is not set.")
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    with _running(Server(f"redis://127.0.0.1:{port}/0", command, port, folder)) as server:
        yield server


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a Redis server: `TEST_REDIS_URL`, or one started in `folder`."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    with own_redis_server(folder) as server:
        yield server.url


@contextlib.contextmanager
def own_postgres_server(folder: Path) -> Iterator[Server]:
    """A PostgreSQL server with an empty database, its data in `folder`."""
    binaries = sorted(glob("/usr/lib/postgresql/*/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
    if not (Path(binaries[-1]) / "initdb").exists():
        pytest.skip("PostgreSQL is not installed and TEST_POSTGRES_URL is not set.")
    as_user: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
        for parent in folder.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    initdb = [*as_user, f"{binaries[-1]}/initdb", "-D", str(data), "-U", "brainscan", "--auth=trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    command = [*as_user, f"{binaries[-1]}/postgres", "-D", str(data), "-p", str(port), "-k", str(folder)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with _running(Server(f"postgresql://brainscan@127.0.0.1:{port}/postgres", command, port, data)) as server:
        yield server


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """The URL of an empty database: `TEST_POSTGRES_URL`, or one of a server started in `folder`."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    with own_postgres_server(folder) as server:
        yield server.url


def family_of(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.signal(signal.SIGCONT)
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
