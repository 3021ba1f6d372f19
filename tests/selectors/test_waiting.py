"""Waiting for the end of analyses: prompt, and with one query at a time for all who wait."""

import threading
import time

import pytest
from django.db import connection

from classifier.models import Analysis
from classifier.selectors.waiting import LONGEST_STEP, SHORTEST_STEP, FinishWatch
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db(transaction=True)


class CountingWatch(FinishWatch):
    """Counts its looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def _look(self) -> None:
        self.looks += 1
        super()._look()


def wait_in_threads(watch: FinishWatch, rows: list[Analysis], *, seconds: float):
    """Wait for each row in a thread of its own; returns the threads and, once joined, how long each waited."""
    waited: dict[str, float] = {}

    def wait(row: Analysis) -> None:
        began = time.monotonic()
        try:
            watch.wait(row.pk, seconds=seconds)
        finally:
            connection.close()
        waited[str(row.pk)] = time.monotonic() - began

    threads = [threading.Thread(target=wait, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    return threads, waited


def test_many_waiters_share_the_looks(owner):
    rows = [make_analysis(make_scan(owner)) for _ in range(12)]
    watch = CountingWatch()
    threads, waited = wait_in_threads(watch, rows, seconds=20)
    began = time.monotonic()
    for row in rows:
        time.sleep(0.05)
        Analysis.objects.filter(pk=row.pk).update(state="cancelled")
    for thread in threads:
        thread.join(20)
    elapsed = time.monotonic() - began
    assert len(waited) == 12
    assert max(waited.values()) < 15
    # Alone each would have looked this often; whoever takes over looks once more at once.
    assert watch.looks <= elapsed / SHORTEST_STEP + 2 * len(rows)
    assert not watch._awaited
    assert not watch._ended


def test_a_deleted_row_ends_the_wait(owner):
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(FinishWatch(), [analysis], seconds=20)
    time.sleep(0.1)
    analysis.scan.delete()
    threads[0].join(20)
    assert next(iter(waited.values())) < 15


def test_waiting_ends_with_its_time(owner):
    short, long = (make_analysis(make_scan(owner)) for _ in range(2))
    watch = FinishWatch()
    began = time.monotonic()
    threads, waited = wait_in_threads(watch, [short, long], seconds=0.3)
    for thread in threads:
        thread.join(20)
    assert 0.3 <= max(waited.values()) <= time.monotonic() - began < 10


def test_looks_grow_rarer_and_are_frequent_again_for_a_newcomer(owner):
    watch = FinishWatch()
    watch._last_joined = time.monotonic()
    assert watch._step() == SHORTEST_STEP
    watch._last_joined -= 0.8
    assert SHORTEST_STEP < watch._step() < LONGEST_STEP
    watch._last_joined -= 60
    assert watch._step() == LONGEST_STEP
    row = make_analysis(make_scan(owner))
    watch.wait(row.pk, seconds=0.01)
    assert watch._step() < LONGEST_STEP


def test_slow_looks_are_rare(owner):
    class SlowWatch(CountingWatch):
        def _look(self) -> None:
            time.sleep(0.05)
            super()._look()

    watch = SlowWatch()
    row = make_analysis(make_scan(owner))
    watch.wait(row.pk, seconds=1.2)
    assert watch.looks <= 3
