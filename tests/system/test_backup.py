"""Backup, restore, and upgrade of running installations, with the commands of docs/operators.md."""

import hashlib
import re
import secrets
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from devtools.client import SAMPLES, call, result, token_of, upload
from devtools.running import ROOT, RunningApp, embedded_app
from devtools.servers import free_port

pytestmark = [pytest.mark.processes, pytest.mark.real_weights]

DOCUMENT = (ROOT / "docs" / "operators.md").read_text()


def manage(app: RunningApp, *arguments: str) -> str:
    """Run a command that the document names, and return what it prints."""
    assert f"python manage.py {arguments[0]}" in DOCUMENT
    return app.manage(*arguments).stdout


@contextmanager
def uploading(app: RunningApp, token: str) -> Iterator[list[str]]:
    """Upload without a pause until the block ends; the identifiers of the scans so far."""
    stop, stored = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            stored.append(upload(app, SAMPLES[len(stored) % len(SAMPLES)], token=token)[1]["id"])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stored
    finally:
        stop.set()
        thread.join(60)


def image_digest(app: RunningApp, scan_id: str, token: str) -> str:
    request = urllib.request.Request(
        f"{app.base_url}/api/v1/scans/{scan_id}/image", headers={"Authorization": f"Token {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return hashlib.sha256(answer.read()).hexdigest()


def all_scans(app: RunningApp, token: str) -> list[dict]:
    found, url = [], "/api/v1/scans/"
    while url:
        page = call(app, url, token=token)[1]
        found += page["results"]
        url = page["next"]
    return found


def second_installation(app: RunningApp, folder: Path) -> RunningApp:
    """An installation like `app` without any data: not started."""
    port = free_port()
    environment = app.environment | {"DATA_DIR": str(folder / "data"), "PORT": str(port)}
    if url := app.environment.get("DATABASE_URL"):
        name = f"restored_{secrets.token_hex(4)}"
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
        environment |= {"DATABASE_URL": f"{url.rpartition('/')[0]}/{name}", "QUEUE_PREFIX": f"{name}:"}
    else:
        (folder / "data").mkdir()
        shutil.copy(Path(app.environment["DATA_DIR"]) / "secret_key", folder / "data")
    return RunningApp(f"http://127.0.0.1:{port}", environment, folder / "second.log")


@pytest.mark.parametrize("kind", ["running_app", "running_server_app"])
def test_a_backup_taken_during_uploads_restores_what_was_stored_by_then(kind, request, tmp_path):
    app: RunningApp = request.getfixturevalue(kind)
    token = token_of(app, f"archivist-{secrets.token_hex(3)}")
    for sample in SAMPLES:
        result(app, upload(app, sample, token=token)[1]["url"], token=token)
    before = {scan["id"] for scan in all_scans(app, token)}
    with uploading(app, token) as during:
        app.wait_for(lambda: len(during) >= 2)
        said = manage(app, "backup", str(tmp_path))
        at_the_end = len(during)
    assert at_the_end > 2
    archive = next(tmp_path.glob("brainscan-*.tar"))
    number = int(re.search(r"Backed up (\d+) scans", said)[1])
    assert f"with {2 * number} image files" in said

    second = second_installation(app, tmp_path)
    said = manage(second, "restore", str(archive))
    assert f"{number} scans with {2 * number} image files" in said
    assert re.search(r"Verified: the rows of \d+ tables and the checksum of every file", said)
    manage(second, "migrate")
    assert "agree with the scans" in second.manage("check_counts").stdout
    try:
        second.start()
        restored = {scan["id"] for scan in all_scans(second, token)}
        assert before <= restored <= before | set(during)
        for scan_id in sorted(restored):
            done = result(second, f"/api/v1/scans/{scan_id}/", token=token)
            assert done["analysis"]["state"] == "succeeded"
            assert image_digest(second, scan_id, token) == image_digest(app, scan_id, token)
        refused = second.manage("restore", str(archive), check=False)
        assert refused.returncode == 1
        assert "BrainScan is running" in refused.stderr
    finally:
        second.stop()


def test_an_upgrade_keeps_everything(tmp_path):
    with embedded_app(tmp_path) as app:
        token = token_of(app, "integrator")
        scan = result(app, upload(app, SAMPLES[0], token=token)[1]["url"], token=token)
        app.stop()
        assert "Backed up 1 scans with 2 image files" in manage(app, "backup")
        assert "No migrations to apply" in manage(app, "migrate")
        app.start()
        assert all_scans(app, token)[0]["analysis"]["finding"] == scan["analysis"]["finding"]
