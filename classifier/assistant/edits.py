"""Check a clinician's edits of an explanation: figures stay those of the rows, and nothing contradicts the analysis.

Sentences that are in the original are not checked again. A changed sentence

1. keeps the figures of the original sentence that is closest to it, in their order, or has none;
2. passes the same check as a sentence of a language model: finding, side, advice, links, and numbers in words.

A mark of a statement about the picture stays with its statement; both can be removed together.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from classifier.assistant.builtin import Facts
from classifier.assistant.check import REASONS, TERMS, check, sentences
from classifier.assistant.statements import HEADINGS, MARKS, strong

ASSERTING = (HEADINGS["summary"], HEADINGS["picture"], "Result")
"""Headings of the parts that say what the result or the picture is."""
SAME_STATEMENT = 0.6
"""Similarity from which two lines are versions of one statement. Half of the words may change."""

_FIGURE = re.compile(r"[<>]?\d+(?:[.,]\d+)*\s?%?")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s")
_MARK = re.compile("|".join(re.escape(strong(words)) for words in MARKS.values() if words))


def edit_problem(original: str, edited: str, *, facts: Facts) -> str:
    """Return why an edited explanation cannot be stored, as a sentence; "" if it can.

    Args:
        original: the explanation as it was chosen.
        edited: the edited text, without control characters.
        facts: of the analysis.
    """
    before = [_plain(sentence) for _, sentence in _by_heading(original)]
    for heading, sentence in _by_heading(edited):
        plain = _plain(sentence)
        if plain and plain not in before:
            problem = _sentence_problem(plain, before, facts, asserts=heading in ASSERTING)
            if problem:
                return problem
    return _mark_problem(original, edited)


def _sentence_problem(sentence: str, before: list[str], facts: Facts, *, asserts: bool) -> str:
    figures = _figures(sentence)
    if figures:
        closest = max(before, key=lambda other: _similarity(sentence, other), default="")
        if figures != _figures(closest):
            return (
                f"Figures of the result cannot be changed here: “{sentence}”. Keep the figures of the original "
                "sentence, or write the sentence under Findings or Impression."
            )
    bare = re.sub(rf"{TERMS.pattern}|{_FIGURE.pattern}", _keep_terms, sentence, flags=re.IGNORECASE)
    blocked = check(bare, facts=facts, references={}, asserts=True if asserts or figures else None).blocked
    if blocked:
        return (
            f"A changed sentence cannot be in the explanation because {REASONS[blocked[0]]}: “{sentence}”. Write it "
            "under Findings or Impression."
        )
    return ""


def _mark_problem(original: str, edited: str) -> str:
    lines = [(_MARK.sub("", line), len(_MARK.findall(line))) for line in edited.splitlines()]
    for line in original.splitlines():
        marks = len(_MARK.findall(line))
        if not marks:
            continue
        bare = _MARK.sub("", line)
        text, kept = max(lines, key=lambda other: _similarity(bare, other[0]), default=("", marks))
        if _similarity(bare, text) >= SAME_STATEMENT and kept < marks:
            return (
                f"The mark stays with its statement: “{_plain(bare)}”. Remove both, or write your own reading under "
                "Findings."
            )
    return ""


def _by_heading(text: str) -> Iterator[tuple[str, str]]:
    """Yield the sentences of a text without marks, each with the heading above it."""
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        for sentence in sentences(_MARK.sub("", line)):
            yield heading, sentence


def _plain(sentence: str) -> str:
    return " ".join(sentence.split()).removeprefix("- ").removeprefix("* ")


def _figures(sentence: str) -> list[str]:
    bare = TERMS.sub("", _LIST_NUMBER.sub("", sentence))
    return [figure.replace(" ", "") for figure in _FIGURE.findall(bare)]


def _keep_terms(match: re.Match[str]) -> str:
    return match.group() if TERMS.fullmatch(match.group()) else ""


def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(a=one, b=other, autojunk=False).ratio()
