"""Figures of a language model: sums over explanations, in use or on the samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

CONTRADICTIONS = ("number", "finding", "side")
"""Reasons of a removed sentence that say that it contradicted the analysis."""
NOT_FROM_PICTURE, NOT_CHECKED, ON_BLANK = "not_from_picture", "not_checked", "on_blank"


@dataclass(frozen=True, slots=True)
class Entry:
    """One explanation.

    Attributes:
        failed: whether the provider gave no usable answer.
        blocked: the reason of each removed sentence.
        marks: mark and reason of each statement about the picture; empty if they were not checked.
        check_failed: whether the check failed, or one of its requests.
        seconds: time of all its requests; None if there was no answer.
        tokens: of all its requests.
    """

    failed: bool = False
    blocked: Sequence[str] = ()
    marks: Sequence[tuple[str, str]] = ()
    check_failed: bool = False
    seconds: float | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over explanations.

    Attributes:
        explanations: how many were asked for.
        errors: how many got no usable answer.
        check_errors: checks in which a request failed.
        removed: sentences that were removed for any reason.
        contradictions: those of them that contradicted the analysis.
        statements: statements about the picture that were checked.
        on_blank: those of them that the model said of a blank picture, too.
        not_from_picture: those of them that did not change with the picture, in any way.
        unchecked: statements that a failed check or a missing answer left open.
        seconds: median time of an explanation with its check; None without any.
        tokens: mean number of tokens of an explanation with its check; None without any.
    """

    explanations: int = 0
    errors: int = 0
    check_errors: int = 0
    removed: int = 0
    contradictions: int = 0
    statements: int = 0
    on_blank: int = 0
    not_from_picture: int = 0
    unchecked: int = 0
    seconds: float | None = None
    tokens: int | None = None


def figures_of(entries: Iterable[Entry]) -> Figures:
    """Return the sums over explanations."""
    rows = list(entries)
    marks = [mark for row in rows for mark in row.marks]
    judged = [mark for mark in marks if mark[0] != NOT_CHECKED]
    blocked = [reason for row in rows for reason in row.blocked]
    seconds = [row.seconds for row in rows if row.seconds is not None]
    answered = [row.tokens for row in rows if not row.failed]
    return Figures(
        explanations=len(rows),
        errors=sum(row.failed for row in rows),
        check_errors=sum(row.check_failed for row in rows),
        removed=len(blocked),
        contradictions=sum(reason in CONTRADICTIONS for reason in blocked),
        statements=len(judged),
        on_blank=sum(reason == ON_BLANK for _, reason in judged),
        not_from_picture=sum(mark == NOT_FROM_PICTURE for mark, _ in judged),
        unchecked=len(marks) - len(judged),
        seconds=round(median(seconds), 2) if seconds else None,
        tokens=round(fmean(answered)) if answered else None,
    )
