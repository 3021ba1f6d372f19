"""The worker is killed, stopped past its lease, and told to end in the middle of its work."""

import os
import random
import signal
import time
from datetime import UTC, datetime

from tests.system.chaos.load import pattern, scans

# What people are promised: a stop under load is over within this.
DRAIN_SECONDS = 15


def test_a_killed_worker_loses_nothing(target, scenario, form):
    share = form.uploads // form.kills
    for _ in range(form.kills):
        begin = datetime.now(UTC)
        scenario.load.begin(scans(share))
        # Once something is in its hands, at no special moment.
        scenario.await_running(since=begin)
        time.sleep(random.uniform(0, 1.5) if form.kills > 1 else 0)
        os.kill(target.worker(), signal.SIGKILL)
        scenario.kills += 1
    rows = scenario.conclude(seconds=300, failed=0 if form.kills < 3 else None)
    assert max(row.attempts for row in rows) > 1, "no kill met work in flight"
    # An analysis that was in flight at three of the kills fails with a message.
    assert {row.failure_code for row in rows if row.state == "failed"} <= {"worker_lost"}
    assert not any(upload.refusals for upload in scenario.load.uploads)


def test_a_worker_that_comes_back_after_its_lease_writes_nothing(target, scenario, form):
    supervised = target.worker()
    with target.fault("slow"), target.second_worker(STUCK_SECONDS="600") as late:
        with target.stopped(supervised):
            with target.stopped(late.pid):
                scenario.load.send([pattern("slow"), *scans(form.some // 2)])
            scenario.await_running()
            target.stop_between_writes(late.pid)
        target.app.wait_for(lambda: not scenario.active(), seconds=180)
        ended = sorted(scenario.rows(), key=str)
        os.kill(late.pid, signal.SIGCONT)
        target.app.wait_for(lambda: "late_result_discarded" in late.output(), seconds=30)
    rows = scenario.conclude()
    assert sorted(rows, key=str) == ended, "the late worker changed a result"
    assert max(row.attempts for row in rows) == 2


def test_a_stop_under_load_is_quick_and_gives_back_what_was_not_begun(target, scenario, form):
    scenario.load.begin(scans(form.some * 2))
    scenario.await_running()
    begin = time.monotonic()
    code = target.app.stop(seconds=60)
    drain_seconds = time.monotonic() - begin
    assert code == 0
    assert target.count(state="running") == 0
    target.app.start()
    rows = scenario.conclude(seconds=180, most_attempts=1, drain_seconds=round(drain_seconds, 2))
    assert drain_seconds <= DRAIN_SECONDS
    assert all(row.state == "succeeded" for row in rows)
