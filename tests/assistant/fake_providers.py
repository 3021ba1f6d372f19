"""Small HTTP servers that speak each provider's documented wire format, on the loopback address."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]


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
    """Answer with a structured content, or with text, as the provider of this kind does."""

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        text = content if isinstance(content, str) else json.dumps(content)
        return 200, {}, json.dumps(_WIRE[kind](body, text, finish)).encode()

    return reply


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


def _openai(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": finish or "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def _google(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish or "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
        "modelVersion": "fake",
    }


def _anthropic(body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
    tools = body.get("tools")
    if tools and text.startswith("{"):
        content = [{"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": json.loads(text)}]
    else:
        content = [{"type": "text", "text": text}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": finish or ("tool_use" if tools else "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 7},
    }


_WIRE: dict[str, Callable[[dict[str, Any], str, str], dict[str, Any]]] = {
    "openai": _openai,
    "compatible": _openai,
    "google": _google,
    "anthropic": _anthropic,
}


@contextmanager
def fake_provider(reply: Reply) -> Iterator[FakeProvider]:
    """Run a server that answers every request with `reply`."""
    provider = FakeProvider("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            provider.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, headers, data = reply(body)
            try:
                self.send_response(status)
                if "Content-Type" not in headers:
                    self.send_header("Content-Type", "application/json")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # The client has given up.

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
