"""The container files agree with the settings, with each other and with the pinned dependencies."""

import importlib.util
import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from classifier.ops.health import CHECKS
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from devtools.running import RunningApp

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["web", "worker", "gpu-worker", "beat", "migrate"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def known_to_the_product() -> set[str]:
    """The variables that settings, gunicorn's settings and the image's programs read."""
    files = [*(ROOT / "brainscan").glob("*.py"), *(ROOT / "docker").glob("*.py")]
    reading = re.compile(r"""(?:env\.\w+|environ\.get|setting)\(\s*"([A-Z][A-Z_]*)\"""")
    return {name for file in files for name in reading.findall(file.read_text(encoding="utf-8"))}


def pins(path: str) -> dict[str, str]:
    """The pinned versions of a lock file, by name."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z-]+\])?==(\S+)", (ROOT / path).read_text(encoding="utf-8"), re.M))


def test_the_services_are_all_there():
    assert {"web", "worker", "gpu-worker", "beat", "redis", "postgres"} <= set(SERVICES)
    assert SERVICES["gpu-worker"]["profiles"] == ["gpu"]
    assert all("profiles" not in SERVICES[name] for name in set(SERVICES) - {"gpu-worker"})


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_that_the_product_reads(name: str):
    assert set(SERVICES[name]["environment"]) <= known_to_the_product()


@pytest.mark.parametrize("name", OURS)
def test_every_process_gets_what_leaving_the_embedded_default_requires(name: str):
    environment = SERVICES[name]["environment"]
    assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "MEDIA_ROOT", "ALLOWED_HOSTS"} <= set(environment)
    assert environment["SECRET_KEY"].startswith("${SECRET_KEY:?")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]


def test_every_variable_asked_of_the_operator_is_in_the_example():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = dict(re.findall(r"\$\{([A-Z_]+):([-?])", text))
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.M))
    assert offered == set(asked)
    required = {name for name, mark in asked.items() if mark == "?"}
    assert required <= set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.M))


def test_the_example_holds_no_secret():
    assert re.findall(r"^(SECRET_KEY|POSTGRES_PASSWORD)=(.+)$", EXAMPLE, re.M) == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_come_back_stop_cleanly_and_tell_their_health(name: str):
    service = SERVICES[name]
    assert service["restart"].startswith("on-failure" if name == "migrate" else "unless-stopped")
    if name == "migrate":
        return
    assert "stop_grace_period" in service
    target = service.get("build", {}).get("target")
    assert "healthcheck" in service or "HEALTHCHECK" in stage(target)


@pytest.mark.parametrize("name", ["web", "worker", "gpu-worker", "beat"])
def test_no_process_starts_before_the_database_is_brought_up_to_date(name: str):
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_web_is_reachable_and_only_from_this_host():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_broker_keeps_its_queue_on_disk():
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert "redis:/data" in SERVICES["redis"]["volumes"]


def test_web_and_workers_share_the_images():
    assert all("media:/data/media" in SERVICES[name]["volumes"] for name in OURS)


def stage(name: str | None) -> str:
    """The part of the Dockerfile that builds one target."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
    assert found, f"the Dockerfile has no target {name}"
    return found.group(1)


@pytest.mark.parametrize("name", OURS)
def test_every_image_runs_as_a_user_without_rights(name: str):
    target = SERVICES[name]["build"]["target"]
    base = re.search(rf"^FROM (\S+) AS {target}$", DOCKERFILE, re.M)
    assert base
    assert "USER 10001:10001" in stage(target) or "USER 10001:10001" in stage(base.group(1))


def test_what_the_image_copies_exists_and_is_let_in():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M):
        copied |= set(line.split()[:-1])
    assert copied == let_in
    assert all((ROOT / path).exists() for path in copied)


def test_the_gpu_image_has_the_same_versions():
    ordinary, gpu = pins("requirements.txt"), pins("docker/requirements-gpu.txt")
    assert gpu["tensorflow"] == ordinary.pop("tensorflow-cpu")
    assert {name: gpu.get(name) for name in ordinary} == ordinary
    added = set(gpu) - set(ordinary) - {"tensorflow"}
    assert all(name.startswith("nvidia-") for name in added), added


def test_every_pin_has_a_hash():
    lock = (ROOT / "docker/requirements-gpu.txt").read_text(encoding="utf-8")
    for requirement in re.split(r"\n(?=[a-z0-9])", lock)[1:]:
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def load_healthcheck() -> Any:
    spec = importlib.util.spec_from_file_location("healthcheck", ROOT / "docker" / "healthcheck.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unready(*parts: str) -> bytes:
    """What `/health/ready` answers while some parts are away."""
    checks = {name: name not in parts for name in ("database", "broker", "model", "worker")}
    return json.dumps({"status": "unavailable", "checks": checks}).encode()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"", 0),
        # Uploads are taken and kept meanwhile; another web container would be no better.
        (503, unready("broker"), 0),
        (503, unready("worker"), 0),
        (503, unready("broker", "worker"), 0),
        (503, unready("model"), 1),
        (503, unready("database", "worker"), 1),
        (503, b"", 1),
        (503, b'{"checks": {}}', 1),
        (301, b"", 1),
        (400, b"", 1),
    ],
)
def test_the_web_is_well_when_uploads_are_taken(status: int, body: bytes, code: int, monkeypatch: pytest.MonkeyPatch):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("PORT", str(server.server_port))
        monkeypatch.setenv("ALLOWED_HOSTS", "*, .scans.example.org,localhost")
        assert load_healthcheck().main("web") == code
    assert asked == [("/health/ready", "scans.example.org")]


def test_the_web_container_is_unhealthy_without_an_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORT", "9")
    assert load_healthcheck().main("web") == 1


def test_what_the_web_needs_is_what_it_is_told_of():
    assert set(load_healthcheck().WEB_NEEDS) < {check.name for check in CHECKS}


@pytest.mark.processes
@pytest.mark.real_weights
def test_a_worker_is_well_while_it_reports(running_server_app: RunningApp, monkeypatch: pytest.MonkeyPatch):
    healthcheck = load_healthcheck()
    monkeypatch.setenv("DATABASE_URL", running_server_app.environment["DATABASE_URL"])
    running_server_app.wait_for(lambda: healthcheck.main("worker") == 0, seconds=30)
    monkeypatch.setattr(healthcheck.socket, "gethostname", lambda: "another-container")
    assert healthcheck.main("worker") == 1


def test_a_worker_that_cannot_reach_the_database_is_not_well(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://brainscan@127.0.0.1:9/brainscan")
    assert load_healthcheck().main("worker") == 1


def test_a_container_waits_for_a_report_as_long_as_the_product_does():
    assert f"interval '{HEARTBEAT_TIMEOUT:.0f} seconds'" in load_healthcheck().WORKER_QUERY


def test_beat_is_well_while_it_writes_its_schedule(tmp_path: Path):
    healthcheck = load_healthcheck()
    healthcheck.BEAT_SCHEDULE = tmp_path / "schedule"
    assert healthcheck.main("beat") == 1
    healthcheck.BEAT_SCHEDULE.touch()
    assert healthcheck.main("beat") == 0
    long_ago = time.time() - 3600
    os.utime(healthcheck.BEAT_SCHEDULE, (long_ago, long_ago))
    assert healthcheck.main("beat") == 1


def test_beat_writes_where_its_health_is_looked_for():
    command = SERVICES["beat"]["command"]
    assert command[command.index("--schedule") + 1] == str(load_healthcheck().BEAT_SCHEDULE)


def test_the_web_image_has_the_client_of_the_database_server():
    server = SERVICES["postgres"]["image"].removeprefix("postgres:").partition("-")[0]
    assert f"postgresql-client-{server} " in (ROOT / "Dockerfile").read_text(encoding="utf-8")
