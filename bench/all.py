"""Every benchmark in order, then the tables: `python -m bench.all [--quick] [--data DIR]`.

`make bench [QUICK=1] [DATA=DIR]` runs it.
"""

import argparse
import shutil
import subprocess
import sys
from glob import glob

from classifier.inference.engines import is_computed_here
from devtools.running import ROOT


def steps(*, quick: bool, data: str = "") -> list[list[str]]:
    """Return the commands as modules with arguments; `data` is the folder of the images to compare engines on."""
    if quick:
        names = (
            "intake_corpus",
            "engines",
            "throughput",
            "latency",
            "memory",
            "history",
            "reports",
            "report_zip",
            "peers",
            "report",
        )
        return [[f"bench.{name}", "--quick"] for name in names]
    found = [
        ["bench.intake_corpus"],
        ["bench.engines", *(("--data", data) if data else ())],
        *([["bench.bfloat16", "--data", data]] if data and is_computed_here("openvino_bf16") else []),
        ["bench.throughput"],
        ["bench.latency"],
    ]
    if has_servers():
        found += [["bench.throughput", "--servers"], ["bench.latency", "--servers"], ["bench.scaling"]]
    found += [["bench.history"], *([["bench.history", "--servers"]] if has_servers() else [])]
    return [
        *found,
        ["bench.memory"],
        ["bench.reports"],
        ["bench.report_zip"],
        ["bench.chats"],
        ["bench.peers"],
        ["bench.report"],
    ]


def has_servers() -> bool:
    """Return whether PostgreSQL and Redis can be started here."""
    postgres = glob("/usr/lib/postgresql/*/bin/initdb") or shutil.which("initdb")
    return bool(postgres) and shutil.which("redis-server") is not None


def main() -> None:
    """Run one after the other; the first that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short: shows that it works, not how fast it is")
    parser.add_argument("--data", default="", metavar="DIR", help="compare the engines on the test images of DIR")
    options = parser.parse_args()
    quick: bool = options.quick
    if not quick and not has_servers():
        print("PostgreSQL or Redis is not installed: benchmarks on them are skipped.")
    for step in steps(quick=quick, data=options.data):
        print(f"\n--- {' '.join(step)}", flush=True)
        subprocess.run([sys.executable, "-m", *step], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
