"""Waiting requests leave half of the web server's threads to the others."""

import re

from classifier.queue.waiting_slots import MAX_WAITING
from devtools.running import ROOT


def test_half_of_the_threads_may_wait():
    (threads,) = re.findall(r"^threads = (\d+)$", (ROOT / "brainscan" / "gunicorn.py").read_text(), re.M)
    assert int(threads) == 2 * MAX_WAITING
