"""Problems of an image that the input check finds, in words. Plain data, for every edge."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TURNED, CROPPED, MARKED, MARKED_HEAD, BLANKED = "turned", "cropped", "marked", "marked_head", "blanked"
DARK, SMALL, EDGE = "dark", "small", "edge"

BLOCKING: frozenset[str] = frozenset((TURNED, CROPPED, EDGE))
"""Problems that change the network's answer: it is withheld until a person confirms that the image is right."""

SENTENCES: dict[str, str] = {
    TURNED: "The image looks turned. The network was trained on upright heads and makes errors on turned ones.",
    CROPPED: "The image cuts the head off at two or more sides. The network was trained on whole heads.",
    MARKED: "The image seems to contain text or markings. They may identify the patient and mislead the network.",
    MARKED_HEAD: "Text, an arrow, or another marking seems to touch or overlap the head. It may identify the patient "
    "and mislead the network. Export the image without it.",
    BLANKED: "Text or markings outside the head were blanked out before the image was stored.",
    DARK: "The image is very dark. Export it with the usual window.",
    SMALL: "The image is very small. Export the slice at its full size.",
    EDGE: "The slice is at the edge of the head and shows little brain. Upload a slice through the brain.",
}
"""Every code with its sentence."""

WITHHELD: dict[str, str] = {
    TURNED: "Check the image first: it looks turned",
    CROPPED: "Check the image first: the head is cut off",
    EDGE: "At the edge of the head: too little brain to judge",
}
"""Sentences shown in place of a withheld answer."""

WITHHELD_ANSWER = "The answer is withheld until the image is corrected, or a person confirms that it is right."

TURNS: dict[str, str] = {"1": "90° clockwise", "2": "180°", "3": "90° counterclockwise"}
"""Quarter turns clockwise that make an image upright, in words."""


def mend_of(problem: Mapping[str, Any]) -> str:
    """Return the action that mends a stored problem: "turn" or "blank"; "" if none does."""
    if problem.get("code") == TURNED and problem.get("detail") in TURNS:
        return "turn"
    return "blank" if problem.get("code") == MARKED else ""


def codes(problems: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the codes of stored problems, without unknown ones of another version."""
    return tuple(str(problem["code"]) for problem in problems if problem.get("code") in SENTENCES)


def blocking(found: Sequence[str]) -> str:
    """Return the first code that withholds the answer; "" if none does."""
    return next((code for code in found if code in BLOCKING), "")
