"""Waiting for the end of analyses: prompt, with one query at a time for all who wait, and none for what is news."""

import threading
import time
from uuid import UUID

import pytest
from django.db import connection
from kombu import Exchange, Queue

from classifier.models import Analysis
from classifier.queue import finished
from classifier.queue.finished import tell_ended
from classifier.queue.waiting import LISTENING_STEP, LONGEST_STEP, SHORTEST_STEP, FinishWatch
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db(transaction=True)


class DeafWatch(FinishWatch):
    """Hears no news, as while the broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._news.start = lambda: None


class CountingWatch(DeafWatch):
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
    threads, waited = wait_in_threads(DeafWatch(), [analysis], seconds=20)
    time.sleep(0.1)
    analysis.scan.delete()
    threads[0].join(20)
    assert next(iter(waited.values())) < 15


def test_waiting_ends_with_its_time(owner):
    short, long = (make_analysis(make_scan(owner)) for _ in range(2))
    watch = DeafWatch()
    began = time.monotonic()
    threads, waited = wait_in_threads(watch, [short, long], seconds=0.3)
    for thread in threads:
        thread.join(20)
    assert 0.3 <= max(waited.values()) <= time.monotonic() - began < 10


def test_looks_grow_rarer_and_are_frequent_again_for_a_newcomer(owner):
    watch = DeafWatch()
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
        def _hear(self, ended: set[UUID]) -> None:
            time.sleep(0.05)
            super()._hear(ended)

    watch = SlowWatch()
    row = make_analysis(make_scan(owner))
    watch.wait(row.pk, seconds=1.2)
    assert watch.looks <= 4


class Listening(DeafWatch):
    """Hears what it is told by the test."""

    def __init__(self) -> None:
        super().__init__()
        self._news.is_listening = True


def test_news_end_the_wait_without_a_look(owner):
    class Looking(Listening, CountingWatch):
        pass

    watch = Looking()
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(watch, [analysis], seconds=20)
    while not watch.looks:
        time.sleep(0.001)
    watch._hear({analysis.pk})
    threads[0].join(20)
    assert watch.looks == 1
    assert len(waited) == 1


def test_who_listens_looks_rarely_and_still_finds_what_nobody_told(owner):
    watch = Listening()
    assert watch._step() == LISTENING_STEP
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(watch, [analysis], seconds=20)
    time.sleep(0.1)
    Analysis.objects.filter(pk=analysis.pk).update(state="cancelled")
    threads[0].join(20)
    assert next(iter(waited.values())) < 15


def test_what_ended_before_is_seen_at_once(owner):
    watch = Listening()
    analysis = make_analysis(make_scan(owner), state="failed")
    began = time.monotonic()
    watch.wait(analysis.pk, seconds=20)
    assert time.monotonic() - began < LISTENING_STEP


def test_news_of_others_wake_nobody(owner):
    watch = Listening()
    mine, other = (make_analysis(make_scan(owner)) for _ in range(2))
    watch._awaited[mine.pk] = 1
    watch._hear({other.pk})
    assert not watch._ended


def test_news_travel_over_the_broker(owner, monkeypatch):
    # In memory, unlike on a real broker, those who share a queue's name share its messages.
    exchange = Exchange("ended-here", type="fanout")
    monkeypatch.setattr(finished, "ENDED", exchange)
    monkeypatch.setattr(finished, "HEARD", Queue("ended-here", exchange))
    heard = FinishWatch()
    analysis = make_analysis(make_scan(owner))
    heard._news.start()
    deadline = time.monotonic() + 20
    while not heard._news.is_listening and time.monotonic() < deadline:
        time.sleep(0.01)
    heard._awaited[analysis.pk] = 1
    assert tell_ended([analysis.pk])
    while not heard._ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert heard._ended == {analysis.pk}
