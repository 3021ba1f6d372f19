"""The parts of a model's explanation, which of their sentences are about the picture, and the marks these get.

A statement about the picture is each item of the part "picture", and each sentence of the summary and of what speaks
against the result that describes how the image looks. The other parts talk in general terms.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from classifier.assistant.check import sentences
from classifier.models import PictureCheck

FROM_PICTURE, NOT_FROM_PICTURE = PictureCheck.FROM_PICTURE, PictureCheck.NOT_FROM_PICTURE
NOT_CHECKED = PictureCheck.NOT_CHECKED
"""Marks of a statement about the picture."""
MARKS: dict[str, str] = {
    FROM_PICTURE: "",
    NOT_FROM_PICTURE: "not from the picture",
    NOT_CHECKED: "not checked against the picture",
}
"""Words of each mark. What depends on the picture has no mark: it can still be wrong."""

MAX_STATEMENTS = 12
"""Statements that are checked. More are a list, and each costs an answer about each picture."""
HEADINGS = {
    "summary": "Summary",
    "picture": "What the picture shows",
    "against": "What speaks against the result",
    "limits": "Limits",
    "next_steps": "Next steps to consider",
}
"""The parts of an explanation, in the order of the page, with their headings."""
DESCRIBING = ("summary", "against")
"""Parts whose sentences may describe the image."""

Part = dict[str, Any]
"""`part`, and `items`: for each item its sentences, each with `text` and `statement`, its number from 0 or None."""

_LOOKS = re.compile(
    r"\b(?:images?|pictures?|slices?|scans?) (?:\w+ ){0,2}(?:shows?|depicts?|displays?|demonstrates?|reveals?)\b|"
    r"\b(?:seen|visible|appears?|apparent|noted|depicted) (?:\w+ ){0,2}(?:in|on|within|as)\b|"
    r"\b(?:hyper|hypo|iso)(?:intens|dens)\w*|\benhanc\w+|\bsignal (?:intensity|change|loss)\w*|\bo?edema\w*|"
    r"\bmidline shift|\bmass effect|\b(?:ill|well)[- ]defined|\b(?:ir)?regular (?:margin|border|edge)s?|"
    r"\b(?:hetero|homo)gene\w+|\bnecro\w+|\bcystic\b|\bcalcif\w+|\bring[- ]like|"
    r"\b(?:bright|dark) (?:area|spot|rim|ring)",
    re.IGNORECASE,
)


def parts_of(kept: Mapping[str, Sequence[str]], *, has_image: bool) -> tuple[list[Part], list[str]]:
    """Return the parts of an explanation, and its statements about the picture.

    Args:
        kept: the checked and rendered items of each part.
        has_image: whether the model was given the image. Without it, there are no statements about the picture.
    """
    parts: list[Part] = []
    statements: list[str] = []

    def piece(text: str, *, about: bool) -> dict[str, Any]:
        if not about:
            return {"text": text, "statement": None}
        statements.append(" ".join(text.split()))
        return {"text": text, "statement": len(statements) - 1}

    for part in HEADINGS:
        items = []
        for item in kept.get(part, ()):
            if part == "picture":
                items.append([piece(item, about=has_image)])
            else:
                describes = has_image and part in DESCRIBING
                items.append([piece(text, about=describes and bool(_LOOKS.search(text))) for text in sentences(item)])
        if items:
            parts.append({"part": part, "items": items})
    return parts, statements


def markdown_of(parts: Sequence[Part], *, marks: Sequence[str] = (), note: str = "") -> str:
    """Return an explanation as Markdown, with a mark behind each statement that has one.

    Args:
        parts: as `parts_of` returns them.
        marks: a key of `MARKS` for each statement; a missing one is "not checked".
        note: a sentence for the end.
    """
    texts = []
    for part in parts:
        items = ["".join(_marked(piece, marks) for piece in item).strip() for item in part["items"]]
        if part["part"] != "summary":
            items = [f"- {' '.join(item.split())}" for item in items]
        body = ("\n\n" if part["part"] == "summary" else "\n").join(items)
        texts.append(f"### {HEADINGS[part['part']]}\n\n{body}")
    return "\n\n".join([*texts, note] if note else texts)


def _marked(piece: Mapping[str, Any], marks: Sequence[str]) -> str:
    number = piece["statement"]
    if number is None:
        return str(piece["text"])
    words = MARKS[marks[number] if number < len(marks) else NOT_CHECKED]
    text = str(piece["text"])
    end = text[len(text.rstrip()) :]
    return f"{text.rstrip()} {strong(words)}{end}" if words else text


def strong(words: str) -> str:
    """Return a mark as Markdown."""
    return f"**({words})**"
