"""Texts for people about the picture check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.assistant.look import REASONS, SIDE_KEPT
from classifier.assistant.statements import FROM_PICTURE, NOT_CHECKED, NOT_FROM_PICTURE
from classifier.models import Explanation, PictureCheck

ANSWERS = {"yes": "yes", "no": "no", "cannot_tell": "cannot tell", "": "no answer"}
PENDING = "The statements about the picture are being checked against it."
OFF = "The statements about the picture were not checked against it: the check is off for this provider."
NO_STATEMENTS = "The text has no statement about the picture to check."


@dataclass(frozen=True, slots=True)
class LookWords:
    """A check for the page.

    Attributes:
        state: "pending", "done", "failed", "off", or "none" if there was nothing to check.
        sentence: what was found.
        is_pending: whether marks will follow.
        warns: whether a statement is not from the picture, or was not checked.
        rows: each statement with `text`, `verdict`, and `answers`.
    """

    state: str
    sentence: str
    is_pending: bool = False
    warns: bool = False
    rows: list[dict[str, str]] = field(default_factory=list)


def look_of(row: Explanation) -> LookWords | None:
    """Return what is said about the check of an explanation; None if it was made without the image."""
    if not row.with_image or row.state != Explanation.State.SUCCEEDED:
        return None
    check = row.second_look
    if check is None:
        has_statements = not row.parts or any(
            piece["statement"] is not None for part in row.parts for item in part["items"] for piece in item
        )
        return LookWords("off", OFF, warns=True) if has_statements else LookWords("none", NO_STATEMENTS)
    if not check.is_finished:
        return LookWords("pending", PENDING, is_pending=True)
    if check.state == PictureCheck.State.FAILED:
        reason = f"The statements about the picture were not checked against it. {check.failure_message}"
        return LookWords("failed", reason, warns=True)
    marks = [each["mark"] for each in check.statements]
    return LookWords(
        "done",
        _counted(marks, check.failure_message),
        warns=any(mark != FROM_PICTURE for mark in marks),
        rows=[_row(each) for each in check.statements],
    )


def _counted(marks: list[str], failure: str) -> str:
    total, kept, open_ = len(marks), marks.count(NOT_FROM_PICTURE), marks.count(NOT_CHECKED)
    of = f"{total} statement{'' if total == 1 else 's'} about the picture"
    if not kept and not open_:
        return f"Checked: {of} {'depends' if total == 1 else 'depend'} on the picture. That does not make them right."
    parts = [f"{kept} of {of} did not change with it"] if kept else []
    parts += [f"{open_} of {of} could not be checked"] if open_ else []
    return " ".join([f"{'; '.join(parts)}.", failure] if failure else [f"{'; '.join(parts)}."])


def _row(each: Mapping[str, Any]) -> dict[str, str]:
    mark, reason = each["mark"], each.get("reason", "")
    verdict = {
        FROM_PICTURE: "Depends on the picture.",
        NOT_FROM_PICTURE: f"Not from the picture. {REASONS.get(reason, '')}".strip(),
        NOT_CHECKED: "Not checked.",
    }[mark]
    answers = [f"blank: {ANSWERS[each.get('blank', '')]}", f"mirrored: {ANSWERS[each.get('mirrored', '')]}"]
    if each.get("exchanged") or reason == SIDE_KEPT:
        answers.append(f"mirrored, sides exchanged: {ANSWERS[each.get('exchanged', '')]}")
    told = any(each.get(name) for name in ("blank", "mirrored"))
    return {"text": each["text"], "verdict": verdict, "answers": f"({', '.join(answers)})" if told else ""}
