"""Writes the tables of `docs/performance.md` from the results files, and nothing else.

`python -m bench.report` rewrites what stands between the markers `<!-- bench:NAME -->` and `<!-- /bench -->`; the text
around them is written by hand and holds no figures. `--check` only says whether the document is in step; `--quick`
prints the tables of a quick run and leaves the document alone.
"""

import argparse
import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.arithmetic import arithmetic
from bench.machine import RESULTS
from bench.tables import TABLES, provenance
from bench.targets import target_table
from devtools.running import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BLOCK = re.compile(r"(<!-- bench:([a-z]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)
NOT_MEASURED = "Not measured yet."
WIDTH = 120


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Return every results file of a folder, by its name without the ending."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def block(name: str, *, results: Mapping[str, dict[str, Any]]) -> str:
    """Return what stands in a block of the document.

    Raises:
        KeyError: if there is no such block.
    """
    if name == "targets":
        return target_table(results)
    if name == "arithmetic":
        return _wrapped(arithmetic(results)) or NOT_MEASURED
    sources, make = TABLES[name]
    parts = [f"{make(results[source])}\n\n{provenance(results[source])}" for source in sources if source in results]
    return _wrapped("\n\n".join(parts)) or NOT_MEASURED


def _wrapped(text: str) -> str:
    """Return the text with its prose wrapped; tables and code keep their lines."""
    parts = text.split("\n\n")
    return "\n\n".join(
        part
        if part.startswith(("|", "```", "#"))
        else textwrap.fill(part, WIDTH, break_long_words=False, break_on_hyphens=False)
        for part in parts
    )


def rendered(document: str, *, results: Mapping[str, dict[str, Any]]) -> str:
    """Return the document with every block regenerated."""
    return BLOCK.sub(lambda found: f"{found[1]}{block(found[2], results=results)}\n{found[3]}", document)


def main() -> None:
    """Rewrite, check or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the document is not in step")
    parser.add_argument("--quick", action="store_true", help="print the tables of a quick run")
    options = parser.parse_args()
    if options.quick:
        results = read_results(RESULTS / "quick")
        for name in ("targets", *TABLES, "arithmetic"):
            print(f"\n## {name}\n\n{block(name, results=results)}")
        return
    document = DOCUMENT.read_text(encoding="utf-8")
    new = rendered(document, results=read_results())
    if options.check:
        raise SystemExit(None if new == document else f"{DOCUMENT} is not in step. Run: python -m bench.report")
    DOCUMENT.write_text(new, encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)} written.")


if __name__ == "__main__":
    main()
