"""Time that intake takes for each file of the corpus and 1,000 mutated ones, and growth of the calling process.

Files are read in child processes, so times include the exchange with them, and memory is that of the calling process,
as the web process has it. `python -m bench.intake_corpus` prints a table and writes `bench/results/intake_corpus.json`.
Memory is read from `/proc`, so it runs on Linux only.
"""

import argparse
import ctypes
import gc
import io
import logging
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.machine import RESULTS, write_result
from classifier.intake import RefusedImage, read_image
from devtools.corpus import BAD_UPLOADS, GOOD_UPLOADS, BadUpload, head_slice
from devtools.corpus.mutations import mutated_files
from devtools.corpus.pictures import encoded

PACKAGES = ("numpy", "pillow", "pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg")


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the corpus, over all rounds.

    Attributes:
        name: The entry's name.
        kilobytes: Size of the file.
        milliseconds: Median time to the answer.
        slowest_milliseconds: Longest time to the answer.
        peak_mebibytes: Most resident memory the process had while it read the file, above what it had before.
        growth_mebibytes: Resident memory after the last round less that after the first, across this file alone.
        answer: The refusal's code and sentence, or what was read.
        as_expected: Whether a bad file was refused with its code, and a good one read.
    """

    name: str
    kilobytes: float
    milliseconds: float
    slowest_milliseconds: float
    peak_mebibytes: float
    growth_mebibytes: float
    answer: str
    as_expected: bool


def heavy_files() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return the heaviest files that are allowed: 40 million pixels, in every way they can be stored."""
    large = Image.fromarray(head_slice()).resize((5600, 7000), Image.Resampling.BILINEAR)
    yield "40-megapixels-jpeg", lambda: encoded(large.convert("RGB"), "JPEG", quality=85)
    yield "40-megapixels-progressive", lambda: encoded(large.convert("RGB"), "JPEG", quality=85, progressive=True)
    yield "40-megapixels-png", lambda: encoded(large, "PNG", compress_level=1)
    yield "40-megapixels-rgba-png", lambda: encoded(large.convert("RGBA"), "PNG", compress_level=1)
    wide = (np.asarray(large).astype(np.uint16) >> 4) * 257
    yield "40-megapixels-16-bit-png", lambda: encoded(Image.fromarray(wide), "PNG", compress_level=1)


def measure(name: str, data: bytes, *, expected: str | None, rounds: int) -> Row:
    """Read one file `rounds` times; `expected` is the refusal's code, None for a good file."""
    times, peaks, after = [], [], []
    answer, code = "", None
    for _ in range(rounds):
        settle()
        reset_peak()
        before = resident("VmRSS")
        started = time.perf_counter()
        try:
            image = read_image(io.BytesIO(data))
            answer, code = f"read: {image.source_format}, {image.width} by {image.height}", None
            del image
        except RefusedImage as refusal:
            answer, code = f"{refusal.code}: {refusal}", refusal.code
        times.append((time.perf_counter() - started) * 1000)
        peaks.append(resident("VmHWM") - before)
        settle()
        after.append(resident("VmRSS"))
    return Row(
        name=name,
        kilobytes=round(len(data) / 1000, 1),
        milliseconds=round(statistics.median(times), 2),
        slowest_milliseconds=round(max(times), 2),
        peak_mebibytes=round(max(peaks), 1),
        growth_mebibytes=round(after[-1] - after[0], 1),
        answer=answer,
        as_expected=code == expected,
    )


def measure_mutations(count: int) -> dict[str, object]:
    """Read the first `count` mutated files, and return how many are read, the slowest, and the most memory held."""
    settle()
    start = resident("VmRSS")
    milliseconds: list[float] = []
    growth, answers = 0.0, Counter[str]()
    slowest = ""
    for name, data in mutated_files(count):
        started = time.perf_counter()
        try:
            answer = read_image(data).source_format
        except RefusedImage as refusal:
            answer = refusal.code
        milliseconds.append((time.perf_counter() - started) * 1000)
        if milliseconds[-1] == max(milliseconds):
            slowest = name
        growth = max(growth, resident("VmRSS") - start)
        answers[answer] += 1
    return {
        "files": count,
        "median_milliseconds": round(statistics.median(milliseconds), 2),
        "slowest_milliseconds": round(max(milliseconds), 2),
        "slowest": slowest,
        "most_growth_mebibytes": round(growth, 1),
        "answers": dict(sorted(answers.items())),
    }


def settle() -> None:
    """Collect garbage and hand free memory back, so that what is counted is held and not merely unreturned."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def resident(field: str) -> float:
    """Return a field of `/proc/self/status` in MiB: VmRSS is memory held now, VmHWM the most since the last reset."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"Not in /proc/self/status. Received: {field!r}")


def reset_peak() -> None:
    """Make VmHWM count from now on (Linux, proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def run(*, rounds: int, mutations: int) -> dict[str, object]:
    """Measure everything, smallest things first, and return what is written to the results file."""
    for good in GOOD_UPLOADS:  # starts the helper process, so that what is measured is reading and not importing
        read_image(good.make())
    settle()
    start = resident("VmRSS")
    rows = []
    for upload in (*BAD_UPLOADS, *GOOD_UPLOADS):
        expected = upload.code if isinstance(upload, BadUpload) else None
        rows.append(measure(upload.name, upload.make(), expected=expected, rounds=rounds))
        print_row(rows[-1])
    settle()
    end = resident("VmRSS")
    heavy = []
    for name, make in heavy_files():
        heavy.append(measure(name, make(), expected=None, rounds=2))
        print_row(heavy[-1])
    refused = [row for row in rows if not row.answer.startswith("read:")]
    return {
        "rounds": rounds,
        "summary": {
            "files": len(rows),
            "as_expected": sum(row.as_expected for row in rows),
            "slowest_refusal_milliseconds": max(row.slowest_milliseconds for row in refused),
            "highest_peak_of_a_refusal_mebibytes": max(row.peak_mebibytes for row in refused),
            "resident_at_start_mebibytes": round(start, 1),
            "resident_at_end_mebibytes": round(end, 1),
            "growth_over_all_mebibytes": round(end - start, 1),
        },
        "mutated": measure_mutations(mutations),
        "corpus": [asdict(row) for row in rows],
        "heaviest_allowed": [asdict(row) for row in heavy],
    }


def print_row(row: Row) -> None:
    """Print one line; a mark at its start stands for an answer that was not expected."""
    mark = " " if row.as_expected else "!"
    print(
        f"{mark} {row.name:<29} {row.kilobytes:>9.1f} kB {row.milliseconds:>8.2f} ms "
        f"{row.peak_mebibytes:>7.1f} MiB peak {row.growth_mebibytes:>6.1f} MiB kept  {row.answer}"
    )


def main() -> None:
    """Run, print, write, and fail if a file did not get its answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each file is read (default 5)")
    parser.add_argument("--quick", action="store_true", help="one round, to see that it runs; writes nothing")
    options = parser.parse_args()
    logging.getLogger("classifier.intake").setLevel(logging.CRITICAL)
    result = run(rounds=1 if options.quick else options.rounds, mutations=50 if options.quick else 1000)
    if not options.quick:
        write_result(RESULTS / "intake_corpus.json", content=result, packages=PACKAGES)
    summary, mutated = result["summary"], result["mutated"]
    assert isinstance(summary, dict)
    assert isinstance(mutated, dict)
    for name, value in (*summary.items(), *((f"mutated: {name}", value) for name, value in mutated.items())):
        print(f"{name.replace('_', ' '):<40} {value}")
    if summary["as_expected"] != summary["files"]:
        raise SystemExit("Some files did not get their answer; they are marked with !")


if __name__ == "__main__":
    main()
