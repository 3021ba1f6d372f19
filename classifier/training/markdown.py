"""Figures as Markdown."""

from collections.abc import Iterable

from classifier import wording


def percent(value: float | None, *, digits: int = 1) -> str:
    """Return a share in [0, 1] as percent ("91.4%"), or a dash where it was not measured."""
    return "–" if value is None else wording.percent(value, digits=digits)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
