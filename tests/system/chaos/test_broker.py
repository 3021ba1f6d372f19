"""The broker is killed, wiped and silent. Messages only notify: uploads are accepted and analyzed all the same."""

import signal
import time

from tests.system.chaos.load import scans

# An upload may notice a silent broker, once, for as long as the broker is given to answer (up to 1.5 s).
LONGEST_ANSWER_SECONDS = 4


def test_a_killed_broker_loses_nothing(hurt, scenario, form):
    share = form.uploads // form.kills
    for _ in range(form.kills):
        hurt.app.wait_for(hurt.broker.is_up)
        scenario.load.begin(scans(share))
        hurt.broker.kill()
        scenario.kills += 1
        scenario.load.finish()
    hurt.app.wait_for(hurt.broker.is_up)
    # Nobody but the broker died: nothing may have been done twice.
    scenario.conclude(seconds=300, most_attempts=1)
    assert_taken_at_once(scenario)


def test_a_wiped_broker_loses_nothing(hurt, scenario, form):
    with hurt.stopped(hurt.worker()):
        scenario.load.send(scans(form.some))
        hurt.broker.wipe()
        scenario.kills += 1
        hurt.app.wait_for(hurt.broker.is_up)
        scenario.load.send(scans(2))
    scenario.conclude(seconds=120, most_attempts=1)
    assert_taken_at_once(scenario)


def test_a_silent_broker_holds_nothing_up(hurt, scenario, form):
    hurt.broker.client().execute_command("CLIENT", "PAUSE", int(form.silent_seconds * 1000), "ALL")
    scenario.load.send(scans(form.some // 2))
    time.sleep(form.silent_seconds)
    hurt.app.wait_for(hurt.broker.is_up)

    hurt.broker.signal(signal.SIGSTOP)
    try:
        scenario.load.send(scans(form.some // 2))
        time.sleep(form.silent_seconds)
    finally:
        hurt.broker.signal(signal.SIGCONT)
    scenario.conclude(seconds=120, most_attempts=1)
    assert_taken_at_once(scenario)


def assert_taken_at_once(scenario):
    assert not any(upload.refusals for upload in scenario.load.uploads)
    assert {upload.status for upload in scenario.load.uploads} == {202}
    assert max(upload.seconds for upload in scenario.load.uploads) < LONGEST_ANSWER_SECONDS
