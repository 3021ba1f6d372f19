"""The table of `docs/performance.md` about an installation with a million scans."""

from typing import Any

from bench.markdown import pair, table, value

Result = dict[str, Any]
DATABASES = {"embedded": "SQLite", "servers": "PostgreSQL"}


def history(result: Result) -> str:
    """Return a row for each kind of request, and the plans of the slowest statements."""
    rows = [
        [
            name,
            str(row["count"]),
            f"{pair(row)} / {value(row, 'max')}",
            f"{pair(row['processor'])} / {value(row['processor'], 'max')}",
            pair(row["database"]),
            "–".join(str(number) for number in sorted(set(row["queries"]))),
        ]
        for name, row in sorted(result["kinds"].items())
    ]
    head = (
        "request",
        "requests",
        "p50 / p95 / max, ms",
        "processor time, p50 / p95 / max, ms",
        "statements, p50 / p95, ms",
        "queries",
    )
    reference, processor = result["reference_milliseconds"], result["reference_processor_milliseconds"]
    text = (
        f"**{DATABASES[result['kind']]}**, {result['scans']:,} scans. Meanwhile, the smallest request there is, "
        f"`{result['reference']}`, took {pair(reference)} ms, of which {pair(processor)} ms of processor time "
        f"(p50 / p95). All requests together: {pair(result['all'])} ms, "
        f"of which {pair(result['all_processor'])} ms of processor time. {_load(result)}\n\n{table(head, rows)}"
    )
    if "writes" in result:
        text += f"\n\n{_writes(result['writes'])}"
    for plan in result["plans"][:3]:
        lines = "\n".join(plan["plan"][:8])
        text += f"\n\nSlow statement of `{plan['path']}`, {plan['milliseconds']:.0f} ms:\n\n```\n{lines}\n```"
    return text


def _load(result: Result) -> str:
    load, cores = result["load_average_before"][0], result["machine"]["cores"]
    text = f"The load average before was {load:.1f} on {cores} cores."
    if load <= cores:
        return text
    return f"{text} Other work had most of the processors: the times by the clock are not those of an idle machine."


def _writes(writes: dict[str, Any]) -> str:
    names = {"upload": "upload of a file", "claim": f"claim of {writes['claimed_at_once']} analyses"}
    rows = [
        [
            f"{words}, {kind} table",
            str(writes[name][kind]["count"]),
            pair(writes[name][kind]),
            pair(writes[name][kind]["database"]),
            pair(writes[name][kind]["processor"]),
            f"{writes[name][kind]['statements']:.0f}",
        ]
        for name, words in names.items()
        for kind in ("empty", "full")
    ]
    head = ("work", "times", "p50 / p95, ms", "in the database, ms", "processor time, ms", "statements")
    return f"The product's own services, without HTTP, by turns in both installations:\n\n{table(head, rows)}"
