"""Images that break the network, kill the worker, or never come back from the decoder."""

import pytest

from tests.system.chaos.load import pattern, scans


def test_a_poisonous_image_fails_alone(target, scenario, form):
    """Always in the same batch as others, and the worker lives."""
    worker = target.worker()
    with target.fault("error"):
        with target.stopped(worker):
            scenario.load.send([*scans(form.batch - 1), pattern("error")])
        rows = scenario.conclude(failed=1, most_attempts=3)
    assert target.worker() == worker
    poisonous, others = split(rows)
    assert poisonous.failure_code == "internal_error"
    assert {row.attempts for row in others} == {1}
    scenario.load.send(scans(1))
    target.app.wait_for(lambda: not scenario.active())


def test_an_image_that_kills_the_worker_takes_no_other_along(target, scenario, form):
    """Once, and the second attempt succeeds; or each time, and it fails after the third."""
    with target.fault("death", times=form.fault):
        with target.stopped(target.worker()):
            scenario.load.send([*scans(form.some // 2), pattern("death"), *scans(form.some // 2)])
        judge(scenario, form)


@pytest.mark.parametrize("fault", ["hang", "freeze"])
def test_an_image_that_hangs_the_decoder_is_given_up(target, scenario, form, fault):
    """A wait as for a lost network folder, or a loop in C code that holds the interpreter's lock."""
    if form.name == "short" and fault == "hang":
        pytest.skip("The short form hangs the decoder in the harder way only.")
    with target.fault(fault, times=form.fault):
        with target.stopped(target.worker()):
            scenario.load.send([*scans(form.some // 2), pattern(fault), *scans(form.some // 2)])
        judge(scenario, form)


def judge(scenario, form):
    passes = form.fault == "once"
    scenario.kills = 1 if passes else 3
    rows = scenario.conclude(seconds=400, failed=0 if passes else 1, most_attempts=3)
    if passes:
        assert max(row.attempts for row in rows) == 2
    else:
        poisonous, others = split(rows)
        assert poisonous.failure_code == "worker_lost"
        assert poisonous.attempts == 3
        assert max(row.attempts for row in others) <= 2


def split(rows):
    [poisonous] = [row for row in rows if row.state == "failed"]
    return poisonous, [row for row in rows if row is not poisonous]
