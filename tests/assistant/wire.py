"""The documented wire formats of the providers: whole answers, and streams of server-sent events."""

import json
from collections.abc import Callable, Sequence
from typing import Any

Body = dict[str, Any]


def openai(body: Body, text: str, finish: str) -> Body:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": finish or "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def google(body: Body, text: str, finish: str) -> Body:
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish or "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
        "modelVersion": "fake",
    }


def anthropic(body: Body, text: str, finish: str) -> Body:
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


def openai_events(body: Body, pieces: Sequence[str], finish: str) -> list[bytes]:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": body["model"]}
    choices = [
        {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None} for piece in pieces
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish or "stop"})
    events = [_event(chunk | {"choices": [choice]}) for choice in choices]
    if body.get("stream_options", {}).get("include_usage"):
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        events.append(_event(chunk | {"choices": [], "usage": usage}))
    return [*events, b"data: [DONE]\n\n"]


def google_events(body: Body, pieces: Sequence[str], finish: str) -> list[bytes]:
    answers = [google(body, piece, finish) for piece in pieces]
    for answer in answers[:-1]:
        del answer["candidates"][0]["finishReason"]
        answer["usageMetadata"] = {"promptTokenCount": 11, "totalTokenCount": 11}
    return [_event(answer) for answer in answers]


def anthropic_events(body: Body, pieces: Sequence[str], finish: str) -> list[bytes]:
    tools = body.get("tools")
    block: Body = {"type": "text", "text": ""}
    if tools:
        block = {"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": {}}
    start = anthropic(body, "", finish) | {"content": [], "stop_reason": None}
    start["usage"] = {"input_tokens": 11, "output_tokens": 1}
    deltas = [
        {"type": "input_json_delta", "partial_json": piece} if tools else {"type": "text_delta", "text": piece}
        for piece in pieces
    ]
    reason = finish or ("tool_use" if tools else "end_turn")
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    ]
    return [_event(event, name=event["type"]) for event in events]


def _event(data: Body, *, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()


WHOLE: dict[str, Callable[[Body, str, str], Body]] = {
    "openai": openai,
    "compatible": openai,
    "google": google,
    "anthropic": anthropic,
}
EVENTS: dict[str, Callable[[Body, Sequence[str], str], list[bytes]]] = {
    "openai": openai_events,
    "compatible": openai_events,
    "google": google_events,
    "anthropic": anthropic_events,
}
