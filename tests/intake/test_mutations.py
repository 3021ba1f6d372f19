"""A fixed set of mutated files: each is read or refused in time, and the calling process does not grow.

The first 100 run here; `python -m bench.intake_corpus` runs 1,000.
"""

import gc
import time
from pathlib import Path

from classifier.intake import RefusedImage, read_image
from devtools.corpus.mutations import mutated_files
from devtools.corpus.pictures import jpeg

FILES = 100
MAX_SECONDS = 3.0
MAX_GROWTH = 150 * 2**20


def resident() -> int:
    """Bytes of memory that this process holds (Linux, proc(5))."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def test_no_mutated_file_takes_long_or_makes_the_process_grow():
    read_image(jpeg())
    gc.collect()
    start = resident()
    answers = set()
    for name, data in mutated_files(FILES):
        began = time.monotonic()
        try:
            answers.add(read_image(data).source_format)
        except RefusedImage as refusal:
            answers.add(refusal.code)
        assert time.monotonic() - began < MAX_SECONDS, name
        assert resident() - start < MAX_GROWTH, name
    # Some are read and some refused, so that decoders are reached.
    assert {"JPEG", "DICOM", "damaged", "truncated", "dicom_unsupported"} <= answers


def test_the_same_seed_makes_the_same_files():
    assert list(mutated_files(20)) == list(mutated_files(20))
