"""Reports as PDF files in real processes: a request never waits for long, and a worker makes what is late."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devtools.client import SAMPLES, call, result, token_of, upload
from devtools.running import RunningApp

pytestmark = [pytest.mark.processes, pytest.mark.real_weights]

REQUESTS = 16
SECONDS = 120


def fetch(app: RunningApp, url: str, *, token: str) -> tuple[int, dict[str, str], bytes]:
    """Ask the API for a file and return status, headers, and body, whatever the status."""
    parts = urlsplit(url if url.startswith("http") else app.base_url + url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path, headers={"Authorization": f"Token {token}"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def parent_of(pid: int) -> int:
    """Return the parent process, and 0 for one that has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def web_pdf_processes(app: RunningApp) -> list[int]:
    """The processes that make PDF files for the web process."""
    web = app.children()["gunicorn"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"classifier.reports.pdf_child" not in (folder / "cmdline").read_bytes():
                continue
            ancestor = pid = int(folder.name)
            while ancestor > 1 and ancestor != web:
                ancestor = parent_of(ancestor)
            if ancestor == web:
                found.append(pid)
    return found


@contextlib.contextmanager
def slow_pdf_processes(app: RunningApp) -> Iterator[None]:
    """Keep the processes that make PDF files for the web process at a standstill, on a machine of any speed."""
    ended = threading.Event()

    def keep_stopped() -> None:
        while not ended.wait(0.01):
            for pid in web_pdf_processes(app):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=keep_stopped)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for pid in web_pdf_processes(app):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_reports_that_are_late_are_made_by_one_job_of_the_worker(running_app):
    token = token_of(running_app, "late-reports")
    url = upload(running_app, SAMPLES[0], token=token)[1]["url"]
    assert result(running_app, url, token=token)["analysis"]["state"] == "succeeded"

    with slow_pdf_processes(running_app), ThreadPoolExecutor(REQUESTS) as threads:
        answers = list(threads.map(lambda _: fetch(running_app, f"{url}report.pdf", token=token), range(REQUESTS)))

    assert {status for status, _, _ in answers} <= {200, 202}
    assert all(body.startswith(b"%PDF") for status, _, body in answers if status == 200)
    late = [headers for status, headers, _ in answers if status == 202]
    assert late
    assert len({headers["Location"] for headers in late}) == 1
    assert all(int(headers["Retry-After"]) > 0 for headers in late)

    deadline = time.monotonic() + SECONDS
    while (job := call(running_app, late[0]["Location"], token=token)[1])["state"] in ("queued", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    assert (job["state"], job["done"], job["total"]) == ("succeeded", 1, 1), json.dumps(job)
    status, headers, body = fetch(running_app, job["file"], token=token)
    assert (status, headers["Content-Type"], len(body)) == (200, "application/pdf", job["bytes"])
    assert body.startswith(b"%PDF")
    # The report says the same, so the next request gets this file at once.
    assert fetch(running_app, f"{url}report.pdf", token=token)[2] == body
