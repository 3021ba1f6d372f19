"""Small HTTP servers that speak each provider's documented wire format, on the loopback address."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.assistant.wire import EVENTS, WHOLE

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes | Iterable[bytes]]]
"""Answer a body with a status, headers, and the bytes, in pieces if the answer is streamed. A piece `BREAK` ends the
connection in the middle."""
STREAM = "stream"
"""The key of a body that asks for a stream. The server adds it for Gemini, which asks in the path."""
BREAK = b"break"
PIECE = 16
"""Characters of a piece of a stream."""


@dataclass
class FakeProvider:
    """A running server.

    Attributes:
        url: its base URL.
        requests: path, headers in lower case, and body of each request.
    """

    url: str
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


def answered(kind: str, content: dict[str, Any] | str, *, finish: str = "") -> Reply:
    """Answer with a structured content, or with text, as the provider of this kind does; in a stream if asked to."""

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes | Iterable[bytes]]:
        text = content if isinstance(content, str) else json.dumps(content)
        if body.get(STREAM):
            pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
            return streamed(kind, pieces, finish=finish)(body)
        return 200, {}, json.dumps(WHOLE[kind](body, text, finish)).encode()

    return reply


def streamed(kind: str, pieces: Sequence[str], *, finish: str = "", broken: bool = False) -> Reply:
    """Answer with a stream of these pieces of a text.

    Args:
        kind: of the provider.
        pieces: of the text.
        finish: the reason of the end; "" for the usual one.
        broken: whether the connection breaks before the last piece.
    """

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, str], Iterable[bytes]]:
        events = EVENTS[kind](body, pieces, finish)
        if broken:
            last = next(number for number, event in enumerate(events) if json.dumps(pieces[-1])[1:-1].encode() in event)
            events[last:] = [BREAK]
        return 200, {"Content-Type": "text/event-stream"}, events

    return reply


def unless_streamed(reply: Reply, otherwise: Reply) -> Reply:
    """Answer with `reply`, but requests for a stream with `otherwise`."""
    return lambda body: (otherwise if body.get(STREAM) else reply)(body)


def failing(status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Reply:
    """Answer with an error."""
    return lambda _: (status, headers or {}, json.dumps(body or {"error": {"message": "no"}}).encode())


def slow(seconds: float) -> Reply:
    """Answer too late."""

    def reply(_: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        time.sleep(seconds)
        return 200, {}, b"{}"

    return reply


def raw(data: bytes, *, content_type: str = "application/json") -> Reply:
    """Answer with these bytes."""
    return lambda _: (200, {"Content-Type": content_type}, data)


def _chunked(data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body as HTTP/1.1 sends one of unknown length. Raise `OSError` at `BREAK`."""
    for piece in data:
        if piece == BREAK:
            raise OSError("The connection breaks.")
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


@contextmanager
def fake_provider(reply: Reply) -> Iterator[FakeProvider]:
    """Run a server that answers every request with `reply`."""
    provider = FakeProvider("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            provider.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            is_stream = bool(body.get(STREAM)) or "streamGenerateContent" in self.path
            status, headers, data = reply(body | {STREAM: is_stream})
            try:
                self.send_response(status)
                if "Content-Type" not in headers:
                    self.send_header("Content-Type", "application/json")
                for name, value in headers.items():
                    self.send_header(name, value)
                if isinstance(data, bytes):
                    self.send_header("Content-Length", str(len(data)))
                    data = [data]
                else:
                    self.send_header("Transfer-Encoding", "chunked")
                    data = _chunked(data)
                self.send_header("Connection", "close")
                self.end_headers()
                for piece in data:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # The client has given up, or the answer breaks off.
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
