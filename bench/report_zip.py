"""A ZIP file of many reports: time and memory of the job that makes it.

`python -m bench.report_zip [--scans N] [--quick]` stores scans of one image, each with a result, in a database of its
own, requests their reports as a ZIP file, and makes it as a worker does. Processor time does not depend on what else
the machine does; the time that passes does.
"""

import argparse
import os
import resource
import tempfile
import time
from threading import Event

from bench.machine import RESULTS, write_result
from bench.reports import analyzed_scan

PACKAGES = ("django", "weasyprint", "pillow", "numpy")
SCANS, QUICK_SCANS = 200, 5


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scans", type=int, default=SCANS, metavar="N", help="how many reports")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATA_DIR": data, "DJANGO_SETTINGS_MODULE": "brainscan.settings"}
        content = measured(scans=QUICK_SCANS if options.quick else options.scans)
    folder = RESULTS / "quick" if options.quick else RESULTS
    write_result(folder / "report_zip.json", content=content, packages=PACKAGES)
    print(content)


def measured(*, scans: int) -> dict[str, object]:
    """Return the figures, of a new database."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from classifier.models import ReportArchive, Scan
    from classifier.reports.archive import make_archives
    from classifier.selectors.report_selection import Selection
    from classifier.services.report_request import MAX_SCANS, request_archive

    user, _ = analyzed_scan()
    for _ in range(scans - 1):
        analyzed_scan(user)
    request_archive(user, Selection("P-0042", list(Scan.objects.values_list("pk", flat=True))))
    processor, memory, begin = _processor_seconds(), _memory_mib(resource.RUSAGE_SELF), time.perf_counter()
    make_archives(Event())
    seconds, processor = time.perf_counter() - begin, _processor_seconds() - processor
    archive = ReportArchive.objects.get()
    return {
        "scans": scans,
        "state": archive.state,
        "left_out": len(archive.left_out),
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "processor_seconds_of_a_report": round(processor / scans, 3),
        "processor_minutes_of_the_most_scans": round(processor / scans * MAX_SCANS / 60),
        "most_scans": MAX_SCANS,
        "process_grew_mib": round(_memory_mib(resource.RUSAGE_SELF) - memory, 1),
        "largest_child_mib": round(_memory_mib(resource.RUSAGE_CHILDREN), 1),
        "bytes": archive.bytes,
        "bytes_of_the_most_scans": round(archive.bytes / scans * MAX_SCANS),
    }


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    uses = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _memory_mib(who: int) -> float:
    """Return the highest memory of this process, or of its largest child, in MiB."""
    return resource.getrusage(who).ru_maxrss / 1024


if __name__ == "__main__":
    main()
