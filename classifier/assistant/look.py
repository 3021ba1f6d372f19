"""Check whether a model's statements about a picture depend on the picture.

The model gets its own statements again, in two more requests with the same data: once with a blank picture and once
with the mirrored one. For each statement it answers yes, no, or cannot tell. The rules:

1. "Yes" about the blank picture: the model says it without looking. Not from the picture.
2. A statement that names a side is asked about the mirrored picture twice, as it is and with left and right exchanged.
   It must be false as it is and true with the sides exchanged. Else the side did not follow the picture.
3. Any other statement must be true of the mirrored picture. Else the model confirms it for neither picture, and the
   answer does not depend on which one it sees.
4. What has no answer is not checked. A "yes" about the blank picture counts even if the other request failed.

Passing means that the statement depends on the picture, not that it is correct.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageOps

from classifier.assistant import llm
from classifier.assistant.failures import ProviderFailed
from classifier.assistant.prompts import LOOK, data_of
from classifier.assistant.statements import FROM_PICTURE, MAX_STATEMENTS, NOT_CHECKED, NOT_FROM_PICTURE
from classifier.models import PictureCheck
from classifier.services.assistant import Connection

YES, NO, CANNOT_TELL = "yes", "no", "cannot_tell"
ON_BLANK, SIDE_KEPT, UNCONFIRMED = PictureCheck.ON_BLANK, "side_kept", "unconfirmed"
REASONS: dict[str, str] = {
    ON_BLANK: "The model said the same of a blank picture.",
    SIDE_KEPT: "The side did not change when the picture was mirrored.",
    UNCONFIRMED: "The model did not say it again when it saw the picture mirrored.",
}
"""Why a statement is not from the picture."""

_SIDES = re.compile(r"\b(left|right)\b(?! away)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judgment:
    """The result of the picture check for one statement.

    Attributes:
        text: the statement.
        mark: a key of `classifier.assistant.statements.MARKS`.
        reason: a key of `REASONS` if it is not from the picture; else "".
        blank: the answer about the blank picture; "" without any.
        mirrored: the answer about the mirrored picture.
        exchanged: the answer about the mirrored picture with the sides exchanged; "" if it names no side.
    """

    text: str
    mark: str
    reason: str = ""
    blank: str = ""
    mirrored: str = ""
    exchanged: str = ""


@dataclass(slots=True)
class Look:
    """The result of a check.

    Attributes:
        judgments: one for each statement.
        failures: sentences about requests that failed, at most two.
        input_tokens: of both requests.
        output_tokens: of both requests.
        seconds: of both requests, which run together.
    """

    judgments: list[Judgment]
    failures: list[str] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


def look_again(connection: Connection, *, statements: Sequence[str], context: Mapping[str, Any], image: bytes) -> Look:
    """Ask a model about its statements with a blank and with the mirrored picture.

    Args:
        connection: the provider.
        statements: what the model said about the picture. Those beyond `MAX_STATEMENTS` are not checked.
        context: what was sent with the first request.
        image: PNG file that was sent with it.
    """
    asked = list(statements[:MAX_STATEMENTS])
    exchanged = {number: exchange_sides(text) for number, text in enumerate(asked) if names_side(text)}
    # The exchanged forms follow the statements, so that both requests number the statements alike.
    on_mirrored = asked + list(exchanged.values())
    answers = llm.ask_about_pictures(
        connection,
        instructions=LOOK,
        requests=[(_prompt(asked, context), blank(image)), (_prompt(on_mirrored, context), mirrored(image))],
    )
    first, second = ({} if isinstance(each, ProviderFailed) else _answers(each) for each in answers)
    place = {number: len(asked) + offset for offset, number in enumerate(exchanged)}
    judgments = [
        judge(
            text,
            on_blank=first.get(number, ""),
            on_mirrored=second.get(number, ""),
            exchanged=second.get(place[number], "") if number in place else "",
        )
        for number, text in enumerate(asked)
    ]
    judgments += [Judgment(text, NOT_CHECKED) for text in statements[MAX_STATEMENTS:]]
    look = Look(judgments, [str(each) for each in answers if isinstance(each, ProviderFailed)])
    for each in answers:
        if not isinstance(each, ProviderFailed):
            look.input_tokens += each.input_tokens
            look.output_tokens += each.output_tokens
            look.seconds = max(look.seconds, each.seconds)
    return look


def judge(text: str, *, on_blank: str, on_mirrored: str, exchanged: str = "") -> Judgment:
    """Judge a statement by the rules of this module.

    Args:
        text: the statement.
        on_blank: `YES`, `NO`, or `CANNOT_TELL` about the blank picture; "" without an answer.
        on_mirrored: about the mirrored picture.
        exchanged: about the mirrored picture, for the statement with its sides exchanged.
    """

    def marked(mark: str, reason: str = "") -> Judgment:
        return Judgment(text, mark, reason, on_blank, on_mirrored, exchanged)

    if on_blank == YES:
        return marked(NOT_FROM_PICTURE, ON_BLANK)
    sided = names_side(text)
    if not on_blank or not on_mirrored or (sided and not exchanged):
        return marked(NOT_CHECKED)
    if sided and (on_mirrored == YES or exchanged != YES):
        return marked(NOT_FROM_PICTURE, SIDE_KEPT)
    if not sided and on_mirrored != YES:
        return marked(NOT_FROM_PICTURE, UNCONFIRMED)
    return marked(FROM_PICTURE)


def names_side(text: str) -> bool:
    """Return whether a statement names a side."""
    return bool(_SIDES.search(text))


def exchange_sides(text: str) -> str:
    """Return a statement with left and right exchanged, in the same case."""

    def other(match: re.Match[str]) -> str:
        word = match.group()
        swapped = "right" if word.lower() == "left" else "left"
        return swapped.upper() if word.isupper() else swapped.capitalize() if word[0].isupper() else swapped

    return _SIDES.sub(other, text)


def blank(image: bytes) -> bytes:
    """Return a picture of the same size and mean gray level without content, as PNG."""
    with Image.open(io.BytesIO(image), formats=["PNG"]) as opened:
        gray = opened.convert("L")
    mean = round(sum(level * count for level, count in enumerate(gray.histogram())) / (gray.width * gray.height))
    return _png(Image.new("L", gray.size, mean))


def mirrored(image: bytes) -> bytes:
    """Return a picture with left and right exchanged, as PNG."""
    with Image.open(io.BytesIO(image), formats=["PNG"]) as opened:
        return _png(ImageOps.mirror(opened.convert("L")))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _prompt(statements: Sequence[str], context: Mapping[str, Any]) -> str:
    numbered = "\n".join(f"{number}. {text}" for number, text in enumerate(statements, start=1))
    return f"{data_of(context, has_image=True)}\n\nStatements:\n{numbered}"


def _answers(answer: llm.Answer) -> dict[int, str]:
    """Return the answers by the number of the statement, from 0. Two different answers to one statement are none."""
    found: dict[int, str] = {}
    for each in answer.content.get("answers", ()):
        number = each["number"] - 1
        found[number] = each["answer"] if found.get(number, each["answer"]) == each["answer"] else ""
    return found
