"""Waiters return promptly, share one query at a time, and need none when a message arrives."""

import threading
import time
from uuid import UUID

import pytest
from django.db import connection
from kombu import Exchange, Queue

from classifier.models import Analysis
from classifier.queue import finished
from classifier.queue.finished import publish_finished
from classifier.queue.waiting import LISTENING_INTERVAL, LONGEST_INTERVAL, SHORTEST_INTERVAL, CompletionWaiter
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db(transaction=True)


class DeafWaiter(CompletionWaiter):
    """Receives no messages, as while the broker is down."""

    def __init__(self) -> None:
        super().__init__()
        self._listener.start = lambda: None


class CountingWaiter(DeafWaiter):
    """Counts its polls."""

    def __init__(self) -> None:
        super().__init__()
        self.polls = 0

    def _poll(self) -> None:
        self.polls += 1
        super()._poll()


def wait_in_threads(waiter: CompletionWaiter, rows: list[Analysis], *, seconds: float):
    """Wait for each row in its own thread. Return the threads and, once they are joined, how long each waited."""
    waited: dict[str, float] = {}

    def wait(row: Analysis) -> None:
        began = time.monotonic()
        try:
            waiter.wait(row.pk, seconds=seconds)
        finally:
            connection.close()
        waited[str(row.pk)] = time.monotonic() - began

    threads = [threading.Thread(target=wait, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    return threads, waited


def test_waiting_threads_share_their_polls(owner):
    rows = [make_analysis(make_scan(owner)) for _ in range(12)]
    waiter = CountingWaiter()
    threads, waited = wait_in_threads(waiter, rows, seconds=20)
    began = time.monotonic()
    for row in rows:
        time.sleep(0.05)
        Analysis.objects.filter(pk=row.pk).update(state="cancelled")
    for thread in threads:
        thread.join(20)
    elapsed = time.monotonic() - began
    assert len(waited) == 12
    assert max(waited.values()) < 15
    # One waiter alone would poll this often; each that takes over polls once more at once.
    assert waiter.polls <= elapsed / SHORTEST_INTERVAL + 2 * len(rows)
    assert not waiter._awaited
    assert not waiter._finished


def test_a_deleted_row_ends_the_wait(owner):
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(DeafWaiter(), [analysis], seconds=20)
    time.sleep(0.1)
    analysis.scan.delete()
    threads[0].join(20)
    assert next(iter(waited.values())) < 15


def test_waiting_ends_with_its_time(owner):
    short, long = (make_analysis(make_scan(owner)) for _ in range(2))
    waiter = DeafWaiter()
    began = time.monotonic()
    threads, waited = wait_in_threads(waiter, [short, long], seconds=0.3)
    for thread in threads:
        thread.join(20)
    assert 0.3 <= max(waited.values()) <= time.monotonic() - began < 10


def test_polls_slow_down_and_speed_up_again_for_a_new_waiter(owner):
    waiter = DeafWaiter()
    waiter._last_joined = time.monotonic()
    assert waiter._interval() == SHORTEST_INTERVAL
    waiter._last_joined -= 0.8
    assert SHORTEST_INTERVAL < waiter._interval() < LONGEST_INTERVAL
    waiter._last_joined -= 60
    assert waiter._interval() == LONGEST_INTERVAL
    row = make_analysis(make_scan(owner))
    waiter.wait(row.pk, seconds=0.01)
    assert waiter._interval() < LONGEST_INTERVAL


def test_slow_polls_are_rare(owner):
    class SlowWaiter(CountingWaiter):
        def _mark_finished(self, finished: set[UUID]) -> None:
            time.sleep(0.05)
            super()._mark_finished(finished)

    waiter = SlowWaiter()
    row = make_analysis(make_scan(owner))
    waiter.wait(row.pk, seconds=1.2)
    assert waiter.polls <= 4


class ListeningWaiter(DeafWaiter):
    """Receives messages from the test only."""

    def __init__(self) -> None:
        super().__init__()
        self._listener.is_listening = True


def test_a_message_ends_the_wait_without_a_poll(owner):
    class PollingListeningWaiter(ListeningWaiter, CountingWaiter):
        pass

    waiter = PollingListeningWaiter()
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(waiter, [analysis], seconds=20)
    while not waiter.polls:
        time.sleep(0.001)
    waiter._mark_finished({analysis.pk})
    threads[0].join(20)
    assert waiter.polls == 1
    assert len(waited) == 1


def test_a_listening_waiter_still_finds_what_no_message_announced(owner):
    waiter = ListeningWaiter()
    assert waiter._interval() == LISTENING_INTERVAL
    analysis = make_analysis(make_scan(owner))
    threads, waited = wait_in_threads(waiter, [analysis], seconds=20)
    time.sleep(0.1)
    Analysis.objects.filter(pk=analysis.pk).update(state="cancelled")
    threads[0].join(20)
    assert next(iter(waited.values())) < 15


def test_an_analysis_that_had_finished_before_is_found_at_once(owner):
    waiter = ListeningWaiter()
    analysis = make_analysis(make_scan(owner), state="failed")
    began = time.monotonic()
    waiter.wait(analysis.pk, seconds=20)
    assert time.monotonic() - began < LISTENING_INTERVAL


def test_messages_about_other_analyses_end_no_wait(owner):
    waiter = ListeningWaiter()
    mine, other = (make_analysis(make_scan(owner)) for _ in range(2))
    waiter._awaited[mine.pk] = 1
    waiter._mark_finished({other.pk})
    assert not waiter._finished


def test_messages_arrive_over_the_broker(owner, monkeypatch):
    # Unlike Redis, the in-memory transport delivers each message to one consumer of a queue name only.
    exchange = Exchange("finished-here", type="fanout")
    monkeypatch.setattr(finished, "FINISHED_EXCHANGE", exchange)
    monkeypatch.setattr(finished, "FINISHED_QUEUE", Queue("finished-here", exchange))
    waiter = CompletionWaiter()
    analysis = make_analysis(make_scan(owner))
    waiter._listener.start()
    deadline = time.monotonic() + 20
    while not waiter._listener.is_listening and time.monotonic() < deadline:
        time.sleep(0.01)
    waiter._awaited[analysis.pk] = 1
    assert publish_finished([analysis.pk])
    while not waiter._finished and time.monotonic() < deadline:
        time.sleep(0.01)
    assert waiter._finished == {analysis.pk}


def test_the_first_of_several_ends_the_wait(owner):
    waiter = DeafWaiter()
    active, ended = (make_analysis(make_scan(owner), state=state) for state in ("running", "failed"))
    began = time.monotonic()
    waiter.wait(active.pk, ended.pk, seconds=20)
    assert time.monotonic() - began < 15
    assert not waiter._awaited
    assert not waiter._finished
