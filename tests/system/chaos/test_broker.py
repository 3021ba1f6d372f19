"""The broker is killed, wiped, or unresponsive. Messages only notify: uploads are accepted and analyzed anyway."""

import signal
import time

from tests.system.chaos.load import scans

# An upload may notice a silent broker, once, for as long as the broker is given to answer (up to 1.5 s).
LONGEST_ANSWER_SECONDS = 4


def test_a_killed_broker_loses_nothing(target, scenario, form):
    share = form.uploads // form.kills
    for _ in range(form.kills):
        target.app.wait_for(target.broker.is_up)
        scenario.load.begin(scans(share))
        target.broker.kill()
        scenario.kills += 1
        scenario.load.finish()
    target.app.wait_for(target.broker.is_up)
    # Nobody but the broker died: nothing may have been done twice.
    scenario.conclude(seconds=300, most_attempts=1)
    assert_taken_at_once(scenario)


def test_a_wiped_broker_loses_nothing(target, scenario, form):
    with target.stopped(target.worker()):
        scenario.load.send(scans(form.some))
        target.broker.wipe()
        scenario.kills += 1
        target.app.wait_for(target.broker.is_up)
        scenario.load.send(scans(2))
    scenario.conclude(seconds=120, most_attempts=1)
    assert_taken_at_once(scenario)


def test_a_silent_broker_holds_nothing_up(target, scenario, form):
    target.broker.client().execute_command("CLIENT", "PAUSE", int(form.silent_seconds * 1000), "ALL")
    scenario.load.send(scans(form.some // 2))
    time.sleep(form.silent_seconds)
    target.app.wait_for(target.broker.is_up)

    target.broker.signal(signal.SIGSTOP)
    try:
        scenario.load.send(scans(form.some // 2))
        time.sleep(form.silent_seconds)
    finally:
        target.broker.signal(signal.SIGCONT)
    scenario.conclude(seconds=120, most_attempts=1)
    assert_taken_at_once(scenario)


def assert_taken_at_once(scenario):
    assert not any(upload.refusals for upload in scenario.load.uploads)
    assert {upload.status for upload in scenario.load.uploads} == {202}
    assert max(upload.seconds for upload in scenario.load.uploads) < LONGEST_ANSWER_SECONDS
