"""A whole BrainScan with injected faults, on both kinds of servers, and a connection to its database from outside."""

import contextlib
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from brainscan.processes.programs import worker as worker_program
from devtools.client import token_of
from devtools.running import RunningApp, embedded_app
from devtools.servers import Server, dying_with_us, own_postgres_server, own_redis_server
from tests.system.chaos.brokers import Broker, EmbeddedBroker, RedisBroker
from tests.system.chaos.forms import Form

FAULTS = Path(__file__).with_name("faults")
MEDIA_MEBIBYTES = 64
# The database records every result, so that a second one for the same analysis would show.
WITNESS = {
    "embedded": (
        "CREATE TABLE chaos_witness (analysis text, state text)",
        "CREATE TRIGGER chaos_witness AFTER UPDATE OF state ON classifier_analysis "
        "WHEN NEW.state IN ('succeeded', 'failed', 'cancelled') "
        "BEGIN INSERT INTO chaos_witness VALUES (NEW.id, NEW.state); END",
    ),
    "servers": (
        "CREATE TABLE chaos_witness (analysis text, state text)",
        "CREATE FUNCTION chaos_witness() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO chaos_witness VALUES (NEW.id, NEW.state); RETURN NEW; END $$",
        "CREATE TRIGGER chaos_witness AFTER UPDATE OF state ON classifier_analysis FOR EACH ROW "
        "WHEN (NEW.state IN ('succeeded', 'failed', 'cancelled')) EXECUTE FUNCTION chaos_witness()",
    ),
}


@dataclass(frozen=True)
class SecondWorker:
    """A worker beside the supervised one: its process id, and where its lines begin in which file."""

    pid: int
    log: Path
    begin: int

    def output(self) -> str:
        """Return its whole output."""
        return self.log.read_text(errors="replace")[self.begin :]


class Installation:
    """A running BrainScan with switches for faults.

    Attributes:
        kind: "embedded" (SQLite, embedded broker) or "servers" (PostgreSQL, Redis).
        app: its processes.
        broker: its broker.
        database: the PostgreSQL server, if it has one.
        media: where it keeps images.
        small_disk: whether `media` is a small disk of its own that a test can fill.
        token: of the account that uploads.
    """

    def __init__(
        self, kind: str, *, app: RunningApp, broker: Broker, database: Server | None, small_disk: bool
    ) -> None:
        self.kind = kind
        self.app = app
        self.broker = broker
        self.database = database
        self.media = Path(app.environment["MEDIA_ROOT"])
        self.small_disk = small_disk
        self.switches = Path(app.environment["CHAOS_SWITCHES"])
        self.token = token_of(app, "integrator")
        with self.connection() as connection:
            for statement in WITNESS[kind]:
                connection.execute(statement)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection to its database that is no part of it; commits at the end."""
        if self.database is None:
            with contextlib.closing(sqlite3.connect(self._sqlite_path(), timeout=60)) as connection, connection:
                yield connection
        else:
            with psycopg.connect(self.database.url, connect_timeout=10) as connection:
                yield connection

    def _sqlite_path(self) -> Path:
        return Path(self.app.environment["DATA_DIR"]) / "brainscan.sqlite3"

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.connection() as connection:
            return list(connection.execute(query).fetchall())

    def count(self, *, state: str) -> int:
        """How many analyses are in a state."""
        return int(self.read(f"SELECT count(*) FROM classifier_analysis WHERE state = '{state}'")[0][0])

    def worker(self) -> int:
        """The process id of the running worker; waits for it to be started."""
        self.app.wait_for(lambda: "worker" in self.app.children())
        return self.app.children()["worker"]

    @contextlib.contextmanager
    def fault(self, name: str, *, times: str = "always") -> Iterator[None]:
        """Switch a fault on: "once" or "always"."""
        switch = self.switches / name
        switch.write_text(times)
        try:
            yield
        finally:
            switch.unlink(missing_ok=True)

    @contextlib.contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        """A process stands still (SIGSTOP)."""
        self.stop_between_writes(pid)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop_between_writes(self, pid: int) -> None:
        """Stop a process at a moment when it does not hold SQLite's only write lock, or nothing else could write."""
        for _ in range(20):
            os.kill(pid, signal.SIGSTOP)
            if self._can_write():
                return
            os.kill(pid, signal.SIGCONT)
            time.sleep(random.uniform(0.01, 0.1))
        raise AssertionError("the database could not be written to whenever the process was stopped")

    def _can_write(self) -> bool:
        # PostgreSQL locks rows, not the whole database.
        if self.database is not None:
            return True
        with contextlib.closing(sqlite3.connect(self._sqlite_path(), timeout=3)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.rollback()
        return True

    @contextlib.contextmanager
    def second_worker(self, **environment: str) -> Iterator["SecondWorker"]:
        """Another worker process, as another host would run it, with its network loaded."""
        log = self.app.log.with_name("second-worker.log")
        program = worker_program()
        begin = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen(
            dying_with_us(*program.command),
            env=self.app.environment | program.environment | environment,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
        )
        worker = SecondWorker(process.pid, log, begin)
        try:
            self.app.wait_for(lambda: "model_loaded" in worker.output() and process.poll() is None)
            yield worker
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(30)

    def versions(self) -> dict[str, str]:
        """The versions of its database and broker."""
        broker = self.broker.client().info("server")
        database = {"sqlite": sqlite3.sqlite_version}
        if self.database is not None:
            database = {"postgresql": self.read("SHOW server_version")[0][0].split()[0]}
        name = "valkey" if "valkey_version" in broker else "redis"
        return database | {name: broker[f"{name}_version"]}

    def remove_faults(self) -> None:
        """Undo whatever an earlier scenario left behind when it failed, so that the next one judges only itself."""
        for switch in self.switches.iterdir():
            switch.unlink()
        (self.media / "ballast").unlink(missing_ok=True)
        if self.app.process.poll() is not None:
            self.app.start()
        for pid in self.app.children().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.app.wait_for(self.broker.is_up)
        self.app.wait_for(lambda: {"worker", "gunicorn"} <= self.app.children().keys() and self.app.is_live())


@contextlib.contextmanager
def installation(kind: str, folder: Path, form: Form) -> Iterator[Installation]:
    """Start a BrainScan on one kind of servers, its data in `folder`."""
    media, switches = folder / "media", folder / "switches"
    for path in (media, switches):
        path.mkdir()
    environment = form.environment | {
        "CHAOS_SWITCHES": str(switches),
        "MEDIA_ROOT": str(media),
        "PYTHONPATH": str(FAULTS),
    }
    with contextlib.ExitStack() as stack:
        small_disk = stack.enter_context(_small_disk(media))
        redis = postgres = None
        if kind == "servers":
            for name in ("redis", "postgres"):
                (folder / name).mkdir()
            redis = stack.enter_context(own_redis_server(folder / "redis", "--appendonly", "yes"))
            postgres = stack.enter_context(own_postgres_server(folder / "postgres"))
            environment |= {"REDIS_URL": redis.url, "DATABASE_URL": postgres.url, "HTTPS": "0"}
            environment["SECRET_KEY"] = secrets.token_urlsafe(50)
        app = stack.enter_context(embedded_app(folder, **environment))
        broker = EmbeddedBroker(app) if redis is None else RedisBroker(redis)
        yield Installation(kind, app=app, broker=broker, database=postgres, small_disk=small_disk)


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[bool]:
    """Mount a small disk at `path` and say whether that was possible (it takes rights that few processes have)."""
    options = f"size={MEDIA_MEBIBYTES}m,mode=700"
    command = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", options, "brainscan-chaos", str(path)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
