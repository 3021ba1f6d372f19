"""Tables in Markdown, and spreads of times in their cells."""

from collections.abc import Mapping, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is right-aligned."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def pair(spread: Mapping[str, float]) -> str:
    """Return the median and the 95th percentile of a spread, "12 / 34"; "– / –" if nothing was measured."""
    return f"{value(spread, 'p50')} / {value(spread, 'p95')}"


def value(spread: Mapping[str, float], name: str) -> str:
    """Return one number of a spread without decimals; "–" if nothing was measured."""
    return f"{spread[name]:.0f}" if spread["count"] else "–"
