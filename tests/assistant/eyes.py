"""Models that use the picture they are sent, or do not, behind each provider's wire format."""

import base64
import io
import json
import re
from typing import Any

from PIL import Image

from tests.assistant.fake_providers import Reply, answered

BASE64 = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/=_-]+")
BRIGHT_LEFT = "The bright area lies on the left side of the image."
BRIGHT = "The image shows a bright area."
STRIPES = "The image shows stripes."
STATEMENTS = re.compile(r"Statements:\n((?:\d+\. .+\n?)+)")


def picture(*, bright: str = "left") -> bytes:
    """A PNG with a bright rectangle on one side."""
    image = Image.new("L", (128, 128), 20)
    image.paste(230, (20, 40, 50, 80) if bright == "left" else (78, 40, 108, 80))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def sent_picture(body: dict[str, Any]) -> Image.Image:
    """The picture in a request."""
    (found,) = set(BASE64.findall(json.dumps(body)))
    data = base64.b64decode(found.replace("-", "+").replace("_", "/"))
    return Image.open(io.BytesIO(data)).convert("L")


def asked(body: dict[str, Any]) -> list[str]:
    """The numbered statements in a request; none in a request for an explanation."""
    texts = [text for text in _texts(body) if "Statements:\n" in text]
    if not texts:
        return []
    return [line.split(". ", 1)[1] for line in STATEMENTS.search(texts[0])[1].splitlines()]


def looks(kind: str, explanation: dict[str, Any]) -> Reply:
    """A model that answers from the pixels: which side is brighter, if any."""

    def answer(body: dict[str, Any], statement: str) -> str:
        image = sent_picture(body)
        low, high = image.getextrema()
        if low == high:
            return "cannot_tell"
        if "stripes" in statement:
            return "no"
        words = statement.lower().split()
        if "left" in words or "right" in words:
            half = image.width // 2
            left = max(image.crop((0, 0, half, image.height)).getdata())
            right = max(image.crop((half, 0, image.width, image.height)).getdata())
            return "yes" if ("left" in words) == (left > right) else "no"
        return "yes"

    return _replying(kind, explanation, answer)


def agrees(kind: str, explanation: dict[str, Any]) -> Reply:
    """A model that agrees with every statement, whatever it sees."""
    return _replying(kind, explanation, lambda body, statement: "yes")


def _replying(kind: str, explanation: dict[str, Any], answer: Any) -> Reply:
    def reply(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        statements = asked(body)
        content: dict[str, Any] = explanation
        if statements:
            numbered = enumerate(statements, start=1)
            content = {"answers": [{"number": number, "answer": answer(body, text)} for number, text in numbered]}
        return answered(kind, content)(body)

    return reply


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []
