"""Fifty open conversations: whether they hold the threads of the web server.

`python -m bench.chats [--quick] [--servers]` starts an installation and a local server that streams answers slowly, one
piece every half second. Fifty people have a conversation open, each with an answer that is being written or waits, and
each page polls for new text as a browser does. Meanwhile one more person reads pages. The same pages are read before,
with nothing open. The server replaces the language model; everything else is the product.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from bench.figures import milliseconds
from bench.installation import Installation, arguments, conditions, installation, result_path
from bench.machine import write_result
from devtools.running import ROOT

PACKAGES = ("django", "gunicorn", "pydantic-ai-slim")
PEOPLE, QUICK_PEOPLE = 50, 6
SECONDS, QUICK_SECONDS = 40.0, 8.0
PIECE = "The grade is unknown. "
PIECE_SECONDS = 0.5
# Longer than the measurement, so that every answer is open until its end.
PIECES = 400
# As `static/js/app.js` and the template have them.
POLL_SECONDS, WAIT_SECONDS = 0.1, 4
READ_PAUSE = 0.25
PAGES = ("/scans/", "/health/live")


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__, kinds=True)
    people, seconds = (QUICK_PEOPLE, QUICK_SECONDS) if options.quick else (PEOPLE, SECONDS)
    with streaming_provider() as url, installation(options.kind) as running:
        setup = json.loads(_inside(running, "setup", str(people), url))
        running.wait_until_idle()
        reader = setup["reader"]
        before_load = conditions()
        alone = {page: read(running.url, reader, page, seconds=seconds / 3) for page in PAGES}
        chats = json.loads(_inside(running, "ask", str(people)))
        pages = OpenPages(running.url, chats)
        pages.start()
        # The first answers take a moment to begin.
        running.app.wait_for(lambda: pages.written > 0, seconds=60)
        with pages.counted():
            beside = {page: read(running.url, reader, page, seconds=seconds / 2) for page in PAGES}
        pages.stop()
    content = {
        "kind": options.kind,
        "people": people,
        "conditions": before_load,
        "alone": {page: milliseconds(times) for page, times in alone.items()},
        "beside_chats": {page: milliseconds(times) for page, times in beside.items()},
        "polls": pages.figures(),
    }
    write_result(result_path("chats", quick=options.quick, kind=options.kind), content=content, packages=PACKAGES)
    print(json.dumps(content, indent=1))


def read(url: str, session: str, page: str, *, seconds: float) -> list[float]:
    """Return how long each reading of a page took, in seconds, one after the other with a pause between."""
    times = []
    end = time.monotonic() + seconds
    connection = _connection(url)
    while time.monotonic() < end:
        begin = time.perf_counter()
        status, _, _ = _get(connection, page, session)
        times.append(time.perf_counter() - begin)
        if status != 200:
            raise RuntimeError(f"{page} was answered with an error. Received: {status}")
        time.sleep(READ_PAUSE)
    return times


class OpenPages:
    """Open pages of conversations, each in a thread, that poll for new text as a browser does."""

    def __init__(self, url: str, chats: list[dict[str, str]]) -> None:
        self.written = 0
        self._url, self._chats = url, chats
        self._stopping = threading.Event()
        self._counting = threading.Event()
        self._lock = threading.Lock()
        self._kinds: Counter[str] = Counter()
        self._times: list[float] = []
        self._seconds = 0.0
        self._threads = [threading.Thread(target=self._poll, args=(chat,), daemon=True) for chat in chats]

    def start(self) -> None:
        """Open the pages."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the pages."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=2 * WAIT_SECONDS)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the requests inside the block."""
        begin = time.monotonic()
        self._counting.set()
        try:
            yield
        finally:
            self._counting.clear()
            self._seconds = time.monotonic() - begin

    def figures(self) -> dict[str, Any]:
        """Return the counts of the requests and how long they took.

        `pieces` brought text, `waited` ended without new text after the whole time, `at_once` were answered at once
        because enough requests were waiting.
        """
        return {
            "seconds": round(self._seconds, 1),
            "pages": len(self._chats),
            **{kind: self._kinds[kind] for kind in ("pieces", "waited", "at_once", "errors")},
            "milliseconds": milliseconds(self._times),
        }

    def _poll(self, chat: dict[str, str]) -> None:
        connection, seen = _connection(self._url), ""
        while not self._stopping.is_set():
            begin = time.perf_counter()
            try:
                status, headers, body = _get(
                    connection, f"{chat['status']}?wait={WAIT_SECONDS}&seen={seen}", chat["session"]
                )
            except OSError:
                connection, status, headers, body = _connection(self._url), 0, {}, ""
            took = time.perf_counter() - begin
            kind = {200: "pieces", 204: "at_once" if "retry-after" in headers else "waited"}.get(status, "errors")
            if status == 200:
                self.written += PIECE.strip() in body
                seen = body.split("seen=", 1)[1].split('"', 1)[0] if "seen=" in body else seen
            if self._counting.is_set():
                with self._lock:
                    self._kinds[kind] += 1
                    self._times.append(took)
            self._stopping.wait(max(POLL_SECONDS, float(headers.get("retry-after", 0))))


@contextmanager
def streaming_provider() -> Iterator[str]:
    """Run a server that streams a long answer slowly, in OpenAI's format. Yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for _ in range(PIECES):
                    self.wfile.write(f"data: {json.dumps(_chunk(PIECE))}\n\n".encode())
                    self.wfile.flush()
                    time.sleep(PIECE_SECONDS)
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                pass  # The worker has ended the request.

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


def _chunk(text: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "slow", "choices": [choice]}


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)


def _get(connection: http.client.HTTPConnection, path: str, session: str) -> tuple[int, dict[str, str], str]:
    headers = {"Cookie": f"sessionid={session}"}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
    except ConnectionError:
        # The server has closed the idle connection. A browser opens another one, too.
        connection.close()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
    body = response.read().decode(errors="replace")
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def _inside(running: Installation, *arguments: str) -> str:
    """Run this module beside the installation, with its settings. Return the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.chats", "--inside", *arguments],
        cwd=ROOT,
        env=running.quiet_environment() | {"DJANGO_SETTINGS_MODULE": "brainscan.settings"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def inside(step: str, people: int, url: str = "") -> None:
    """Store people with a scan each and the provider (`setup`), or let them ask (`ask`); print what was made."""
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client
    from django.urls import reverse

    from classifier.assistant.chat import ask, start_conversation
    from classifier.models import AssistantProvider, User
    from classifier.selectors.scan import get_scan, visible_scans
    from classifier.services.scan import submit_scan

    def session(user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def person(name: str) -> User:
        return User.objects.create_user(name, f"{name}@hospital.example", None)

    if step == "setup":
        sample = (ROOT / "samples" / "meningioma-2.jpg").read_bytes()
        for number in range(people):
            submit_scan(owner=person(f"person-{number}"), file=sample)
        AssistantProvider.objects.create(
            name="slow", kind="compatible", model="slow", url=url, enabled=True, max_tokens=16000,
            timeout_seconds=300,
        )  # fmt: skip
        print(json.dumps({"reader": session(person("reader"))}))
        return
    chats = []
    for number in range(people):
        user = User.objects.get(username=f"person-{number}")
        scan = get_scan(user, visible_scans(user).get().pk)
        talk = start_conversation(scan, by=user, provider="slow", with_image=False)
        message = ask(scan, talk, question="What speaks against it?")
        url = reverse("web:message_status", args=[scan.pk, talk.pk, message.pk])
        chats.append({"status": url, "session": session(user)})
    print(json.dumps(chats))


if __name__ == "__main__":
    if "--inside" in sys.argv:
        step, people, *rest = sys.argv[sys.argv.index("--inside") + 1 :]
        inside(step, int(people), *rest)
    else:
        main()
