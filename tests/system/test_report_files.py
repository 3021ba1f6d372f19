"""Reports as PDF files in real processes: a request never waits for long, and a worker makes what is late."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from devtools.client import SAMPLES, call, result, token_of, upload
from devtools.running import RunningApp

pytestmark = [pytest.mark.processes, pytest.mark.real_weights]

# More than the web process makes at once: some of them cannot be ready in the time of a request.
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


def test_reports_that_are_late_are_made_by_one_job_of_the_worker(running_app):
    token = token_of(running_app, "late-reports")
    url = upload(running_app, SAMPLES[0], token=token)[1]["url"]
    assert result(running_app, url, token=token)["analysis"]["state"] == "succeeded"

    with ThreadPoolExecutor(REQUESTS) as threads:
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
