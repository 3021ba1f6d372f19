"""Differences between two versions of a text, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

SAME, ADDED, REMOVED = "same", "added", "removed"
_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Change:
    """A run of words.

    Attributes:
        kind: `SAME`, `ADDED`, or `REMOVED`.
        text: the words with the space between them.
    """

    kind: str
    text: str


def changes(before: str, after: str) -> list[Change]:
    """Return the runs of words that two texts share, and those that were removed or added, in the order of reading."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    found = []
    for tag, start, end, other_start, other_end in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Change(SAME, "".join(old[start:end])))
            continue
        if end > start:
            found.append(Change(REMOVED, "".join(old[start:end])))
        if other_end > other_start:
            found.append(Change(ADDED, "".join(new[other_start:other_end])))
    return found
