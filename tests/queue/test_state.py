"""What the queue holds, read without reading what has ended."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from classifier.models import Analysis
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from classifier.queue.state import QueueState, finished_counts, live_workers, queue_state
from tests.factories import make_analysis, make_scan, make_worker_process

pytestmark = pytest.mark.django_db


def queued(owner, *, seconds_ago: float, **fields) -> Analysis:
    """A queued analysis that was asked for some time ago."""
    analysis = make_analysis(make_scan(owner), **fields)
    Analysis.objects.filter(pk=analysis.pk).update(queued_at=timezone.now() - timedelta(seconds=seconds_ago))
    return analysis


def test_an_empty_queue():
    assert queue_state() == QueueState(queued=0, running=0, oldest_seconds=0, expired_leases=0, by_attempts={})


def test_what_waits_and_what_runs_is_counted_and_what_has_ended_is_not(owner):
    for state, number in (("queued", 3), ("running", 2), ("succeeded", 2), ("failed", 1), ("cancelled", 1)):
        for _ in range(number):
            make_analysis(make_scan(owner), state=state)
    state = queue_state()
    assert (state.queued, state.running) == (3, 2)
    assert state.by_attempts == {0: 3, 1: 2}


def test_a_second_attempt_is_counted_as_such_whether_it_waits_or_runs(owner):
    queued(owner, seconds_ago=1, attempts=1)
    make_analysis(make_scan(owner), state="running", attempts=2)
    make_analysis(make_scan(owner), state="running", attempts=2)
    assert queue_state().by_attempts == {1: 1, 2: 2}


def test_the_oldest_is_the_one_that_has_waited_longest(owner):
    queued(owner, seconds_ago=5)
    queued(owner, seconds_ago=50)
    assert queue_state().oldest_seconds == pytest.approx(50, abs=5)


def test_an_analysis_that_waits_for_its_next_attempt_is_not_overdue(owner):
    queued(owner, seconds_ago=500, attempts=1, available_at=timezone.now() + timedelta(seconds=10))
    assert queue_state().oldest_seconds == 0
    queued(owner, seconds_ago=20)
    assert queue_state().oldest_seconds == pytest.approx(20, abs=5)
    assert queue_state().queued == 2


def test_an_expired_claim_is_reported(owner):
    make_analysis(make_scan(owner), state="running")
    assert queue_state().expired_leases == 0
    make_analysis(make_scan(owner), state="running", lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert queue_state().expired_leases == 1
    assert queue_state().running == 2


def test_reading_the_queue_is_one_query_however_much_there_is(owner, django_assert_num_queries):
    for state in ("queued", "running", "succeeded", "failed"):
        for attempts in (1, 2, 3):
            make_analysis(make_scan(owner), state=state, attempts=attempts)
    with django_assert_num_queries(1):
        queue_state()


def test_reading_the_queue_reads_nothing_that_has_ended():
    """The plan says so: it uses an index that no finished analysis is in."""
    if connection.vendor != "sqlite":
        pytest.skip("Other databases choose their plan by what the tables hold.")
    statements = []

    def note(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        queue_state()
    [(sql, params)] = statements
    with connection.cursor() as cursor:
        # As it was sent, parameters apart: with them written into it, the statement would have another plan.
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        [reading] = [row[3] for row in cursor.fetchall() if "classifier_analysis" in row[3]]
    assert "USING INDEX analysis_queue_order" in reading or "USING INDEX analysis_queue_by_user" in reading


def test_finished_analyses_by_state_and_attempts(owner):
    for state, attempts, number in (("succeeded", 1, 3), ("succeeded", 2, 1), ("failed", 3, 2), ("queued", 0, 1)):
        for _ in range(number):
            make_analysis(make_scan(owner), state=state, attempts=attempts)
    assert finished_counts() == {("succeeded", 1): 3, ("succeeded", 2): 1, ("failed", 3): 2}


def test_a_worker_without_a_recent_heartbeat_is_not_live():
    newest = make_worker_process()
    older = make_worker_process(silent_seconds=HEARTBEAT_TIMEOUT - 5)
    make_worker_process(silent_seconds=HEARTBEAT_TIMEOUT + 1)
    assert list(live_workers()) == [newest, older]
