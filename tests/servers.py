"""Real Redis and PostgreSQL servers for tests: given by the environment, or started here in a temporary folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

START_SECONDS = 30


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a Redis server: `TEST_REDIS_URL`, or one started in `folder`."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed and TEST_REDIS_URL is not set.")
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with _running(command, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """The URL of an empty database: `TEST_POSTGRES_URL`, or one of a server started in `folder`."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
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
    with _running(command, port=port):
        yield f"postgresql://brainscan@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def _running(command: list[str], *, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} stopped at its start"
            assert time.monotonic() < deadline, f"{command[0]} did not start within {START_SECONDS} s"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
