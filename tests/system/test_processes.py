"""Real processes: the supervisor, a real broker, a real worker with the shipped network, on both kinds of servers.

What happens when they are killed, stopped and cut off is in `tests/system/chaos/`.
"""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from devtools.client import SAMPLES, result, token_of, upload
from devtools.running import RunningApp, embedded_app
from devtools.servers import free_port

pytestmark = [pytest.mark.processes, pytest.mark.real_weights]


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("kind", ["running_app", "running_server_app"])
def test_an_upload_becomes_a_result(kind, request):
    app = request.getfixturevalue(kind)
    token = token_of(app, "integrator")
    for sample in SAMPLES[::4]:
        status, scan = upload(app, sample, token=token)
        assert status == 202
        done = result(app, scan["url"], token=token)
        analysis = done["analysis"]
        assert analysis["state"] == "succeeded", analysis
        assert analysis["attempts"] == 1
        assert sum(analysis["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert analysis["milliseconds"] > 0


def test_web_processes_do_not_load_tensorflow(running_app):
    gunicorn = running_app.children()["gunicorn"]
    family = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if folder.name == str(gunicorn) or f" {gunicorn} " in (folder / "stat").read_text().rpartition(")")[2][:20]
    ]
    assert len(family) >= 2
    for pid in family:
        assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()


def test_health_says_ready(running_app):
    # The worker reports at once, from a thread of its own: a moment after its model is loaded.
    running_app.wait_for(lambda: status_of(f"{running_app.base_url}/health/ready") == 200, seconds=30)
    with urllib.request.urlopen(f"{running_app.base_url}/health/ready", timeout=10) as answer:
        assert json.load(answer)["checks"] == {"database": True, "broker": True, "model": True, "worker": True}


def test_lines_are_prefixed(running_app):
    output = running_app.output()
    assert f"BrainScan is running at {running_app.base_url}" in output
    assert any(line.startswith("worker | ") and "model_loaded" in line for line in output.splitlines())


def test_a_second_up_on_the_same_data_is_refused(running_app):
    second = running_app.manage("up", check=False)
    assert second.returncode == 1
    assert "already running" in second.stderr


def test_the_queue_survives_a_stop_and_a_kill(tmp_path):
    """Uploads made while no worker runs are analyzed after the next start; nothing is left running in between."""
    with embedded_app(tmp_path) as app:
        token = token_of(app, "owner")
        os.kill(app.children()["worker"], signal.SIGSTOP)
        urls = [upload(app, sample, token=token)[1]["url"] for sample in SAMPLES[:2]]
        children = app.children()
        assert set(children) == {"broker", "worker", "beat", "gunicorn"}
        os.kill(children["worker"], signal.SIGCONT)

        app.process.send_signal(signal.SIGKILL)
        app.process.wait()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and any(alive(pid) for pid in children.values()):
            time.sleep(0.1)
        assert {name for name, pid in children.items() if alive(pid)} == set()

        app.start()
        for url in urls:
            assert result(app, url, token=token, seconds=90)["analysis"]["state"] == "succeeded"
        children = app.children()
        assert app.stop(with_signal=signal.SIGINT) == 0
        assert {name for name, pid in children.items() if alive(pid)} == set()


def test_a_taken_port_is_reported(running_app, tmp_path):
    port = running_app.base_url.rpartition(":")[2]
    environment = running_app.environment | {"DATA_DIR": str(tmp_path)}
    other = RunningApp(running_app.base_url, environment, tmp_path / "log").manage("up", check=False)
    assert other.returncode == 1
    assert f"Port {port} is in use" in other.stderr


def test_a_missing_secret_stops_the_start_with_a_sentence(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    app = RunningApp("", environment, tmp_path / "log").manage("check", check=False)
    assert app.returncode == 1
    assert "SECRET_KEY is not set" in app.stderr
