"""Answers of the health checks, above all while a part is unavailable or does not respond."""

import contextlib
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from django.db import connections
from django.test import Client

from brainscan import settings as product_settings
from brainscan.environment import socket_url
from brainscan.processes import programs
from classifier.models import WorkerProcess
from classifier.ops import health
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from devtools.servers import free_port
from tests.factories import make_worker_process

# Checks look from threads of their own, which see what is committed.
pytestmark = pytest.mark.django_db(transaction=True)
# Above it, a part's silence has reached the probe. A busy machine adds to the limit itself.
IN_TIME = health.ANSWER_SECONDS + 1.5


@pytest.fixture(autouse=True)
def _fresh_checks(monkeypatch) -> None:
    """No test reuses the result of another."""
    monkeypatch.setattr(health, "CHECKS", tuple(health.Check(check.name, check._look) for check in health.CHECKS))


@pytest.fixture(scope="module")
def valkey(tmp_path_factory) -> Iterator["subprocess.Popen[bytes]"]:
    """The embedded broker, as `manage.py up` starts it."""
    folder = tmp_path_factory.mktemp("broker")
    program = programs.broker(folder=folder, socket_path=folder / "valkey.sock")
    process = subprocess.Popen(program.command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not program.ready():
            assert time.monotonic() < deadline, "the broker did not start"
            time.sleep(0.05)
        process.url = socket_url(folder / "valkey.sock")
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)


def use_broker(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the check ask the broker at `url`, with the product's own limits."""
    app = Celery("probe", broker=url, set_as_current=False)
    app.conf.broker_transport_options = product_settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(health, "current_app", app)


@pytest.fixture
def all_well(valkey, monkeypatch) -> None:
    """Every part is there."""
    use_broker(monkeypatch, valkey.url)
    make_worker_process()


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """The port of a server that accepts every connection and never responds, and the accepted connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


def use_database(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let every new connection go to a PostgreSQL server at `port`."""
    own = connections.settings["default"]
    server = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": str(port), "NAME": "x"}
    limits = {"OPTIONS": {"connect_timeout": 5}, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    monkeypatch.setitem(connections.settings, "default", own | server | limits)


def failing() -> set[str]:
    """The parts that `/health/ready` says are not there."""
    response = Client().get("/health/ready")
    checks = response.json()["checks"]
    assert list(checks) == ["database", "broker", "model", "worker"]
    assert response.status_code == (200 if all(checks.values()) else 503)
    assert response.json()["status"] == ("ok" if all(checks.values()) else "unavailable")
    return {name for name, passes in checks.items() if passes is not True}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_anybody_may_ask_and_no_cache_answers(path):
    response = Client().get(path)
    assert response.status_code in (200, 503)
    assert "no-store" in response["Cache-Control"]
    assert Client().post(path).status_code == 405


def test_a_process_without_broker_and_worker_is_alive():
    assert Client().get("/health/live").json() == {"status": "ok"}


@pytest.mark.usefixtures("all_well")
def test_ready_when_every_part_is_there():
    assert failing() == set()


@pytest.mark.usefixtures("all_well")
@pytest.mark.parametrize(
    ("silent_seconds", "expected"), [(HEARTBEAT_TIMEOUT - 5, set()), (HEARTBEAT_TIMEOUT + 1, {"worker"})]
)
def test_a_worker_counts_for_as_long_as_it_reports(silent_seconds, expected):
    WorkerProcess.objects.all().delete()
    make_worker_process(silent_seconds=silent_seconds)
    assert failing() == expected


@pytest.mark.usefixtures("all_well")
def test_one_live_worker_among_dead_ones_is_enough():
    make_worker_process(silent_seconds=3600)
    assert failing() == set()


@pytest.mark.usefixtures("all_well")
def test_a_model_that_is_not_there(settings):
    settings.MODEL = "nothing-of-that-name"
    assert failing() == {"model"}


@pytest.mark.usefixtures("all_well")
def test_an_unavailable_broker(monkeypatch):
    use_broker(monkeypatch, f"redis://127.0.0.1:{free_port()}/0")
    assert failing() == {"broker"}


@pytest.mark.usefixtures("all_well")
def test_a_broker_that_takes_connections_and_never_answers(monkeypatch):
    with silent_server() as (port, taken):
        use_broker(monkeypatch, f"redis://127.0.0.1:{port}/0")
        began = time.monotonic()
        assert failing() == {"broker"}
        assert time.monotonic() - began < IN_TIME
        assert len(taken) == 1


@pytest.mark.usefixtures("all_well")
def test_a_stopped_broker_process_is_not_ready_until_it_continues(valkey):
    valkey.send_signal(signal.SIGSTOP)
    assert failing() == {"broker"}
    valkey.send_signal(signal.SIGCONT)
    time.sleep(health.FRESH_SECONDS)
    assert failing() == set()


@pytest.mark.usefixtures("all_well")
def test_concurrent_probes_check_an_unresponsive_broker_once():
    with silent_server() as (port, taken), pytest.MonkeyPatch.context() as monkeypatch:
        use_broker(monkeypatch, f"redis://127.0.0.1:{port}/0")
        began = time.monotonic()
        with ThreadPoolExecutor(30) as crowd:
            answers = list(crowd.map(lambda _: failing(), range(60)))
        assert answers == [{"broker"}] * 60
        # Two waves of thirty: the second is told what the first found, or has another look together.
        assert time.monotonic() - began < 2 * IN_TIME
        assert len(taken) <= 2


def test_a_fresh_result_counts_while_the_next_check_runs():
    release = threading.Event()
    rounds = iter([None, release.wait])

    def look() -> None:
        wait = next(rounds)
        if wait:
            wait(10)

    check = health.Check("model", look)
    asked_at = time.monotonic()
    check.begin()
    assert check.passes(asked_at=asked_at) is True
    time.sleep(health.FRESH_SECONDS)
    check.begin()
    # The second check hangs. The first probe has spent its time on another component, and then asks for this one.
    assert check.passes(asked_at=asked_at - health.ANSWER_SECONDS) is True
    release.set()


@pytest.mark.usefixtures("all_well")
def test_a_database_that_refuses_connections(monkeypatch):
    use_database(monkeypatch, free_port())
    assert failing() == {"database", "worker"}


@pytest.mark.usefixtures("all_well")
def test_a_database_without_tables_is_not_ready(monkeypatch, tmp_path):
    empty = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty.sqlite3"), "OPTIONS": {}}
    monkeypatch.setitem(connections.settings, "default", connections.settings["default"] | empty)
    assert failing() == {"database", "worker"}


@pytest.mark.usefixtures("all_well")
def test_a_database_that_takes_connections_and_never_answers(monkeypatch):
    with silent_server() as (port, taken):
        use_database(monkeypatch, port)
        began = time.monotonic()
        assert failing() == {"database", "worker"}
        assert time.monotonic() - began < IN_TIME
        # Nobody waits for long, and nothing piles up: the looks that hang are not repeated beside themselves.
        assert failing() == {"database", "worker"}
        assert len(taken) == 2


def test_a_recent_result_is_reused():
    looks = []
    check = health.Check("part", lambda: looks.append(1))
    for _ in range(100):
        check.begin()
        assert check.passes(asked_at=time.monotonic())
    assert len(looks) == 1
    time.sleep(health.FRESH_SECONDS)
    check.begin()
    assert check.passes(asked_at=time.monotonic())
    assert len(looks) == 2


def test_a_late_answer_counts_as_none(monkeypatch):
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
    check = health.Check("part", lambda: time.sleep(0.3))
    check.begin()
    time.sleep(0.5)
    assert not check.passes(asked_at=time.monotonic())
    assert check._looked_at > 0


def test_a_change_is_logged_once_and_nobody_outside_reads_why(caplog, monkeypatch):
    there = threading.Event()

    def look() -> None:
        if not there.is_set():
            raise ConnectionError("10.0.0.7 refused user brainscan")

    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(health, "CHECKS", (health.Check("part", look),))
    with caplog.at_level(logging.INFO, logger="classifier.ops.health"):
        for _ in range(3):
            response = Client().get("/health/ready")
            assert response.json() == {"status": "unavailable", "checks": {"part": False}}
        there.set()
        for _ in range(3):
            assert Client().get("/health/ready").json() == {"status": "ok", "checks": {"part": True}}
    assert caplog.text.count("health_check_fails") == 1
    assert caplog.text.count("10.0.0.7") == 1
    assert caplog.text.count("health_check_passes") == 1
