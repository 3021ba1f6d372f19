"""A client of the API: an account's token, uploads, and results."""

import json
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from devtools.running import ROOT, RunningApp

SAMPLES = [
    ROOT / "samples" / entry["file"] for entry in json.loads((ROOT / "samples" / "samples.json").read_text())["samples"]
]


def token_of(app: RunningApp, name: str) -> str:
    """The token of a new account."""
    return app.manage("create_token", name, "--create").stdout.strip()


def call(
    app: RunningApp,
    path: str,
    *,
    token: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    seconds: float = 60,
) -> tuple[int, Any]:
    """Ask the API and return status and JSON.

    Raises:
        urllib.error.HTTPError: if the answer is a refusal.
        OSError: if there is no answer.
    """
    request = urllib.request.Request(
        path if path.startswith("http") else app.base_url + path,
        data=body,
        headers={"Authorization": f"Token {token}", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return answer.status, json.load(answer)


def upload(
    app: RunningApp, image: Path | bytes, *, token: str, idempotency_key: str = "", seconds: float = 60
) -> tuple[int, Any]:
    """Upload a file and return status and JSON; raises like `call`."""
    content = image.read_bytes() if isinstance(image, Path) else image
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'.encode()
    body = head + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    return call(app, "/api/v1/scans/", token=token, body=body, headers=headers, seconds=seconds)


def result(app: RunningApp, url: str, *, token: str, seconds: float = 60) -> dict[str, Any]:
    """Wait for the analysis of a scan to end and return the scan."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        scan: dict[str, Any] = call(app, url, token=token, headers={"Prefer": "wait=10"})[1]
        if scan["analysis"]["state"] not in ("queued", "running"):
            return scan
    raise AssertionError(f"no result within {seconds} s\n{app.last_lines()}")
