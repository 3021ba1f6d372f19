"""The watchdog ends real processes."""

import subprocess
import sys

from devtools.running import ROOT

PROGRAM = """
import sys, time
from classifier.worker.watchdog import Watchdog
dog = Watchdog(seconds=0.5)
dog.restart()
{steps}
print("lived")
"""


def run(steps: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM.format(steps=steps)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_stuck_process_is_ended_and_logs_its_stack():
    # The regular expression backtracks for ages inside C code, without giving the interpreter's lock back.
    ended = run("import re; re.match('(a+)+b', 'a' * 60)")
    assert ended.returncode == 1
    assert "lived" not in ended.stdout
    assert "Timeout" in ended.stderr
    assert "<string>" in ended.stderr


def test_a_step_that_is_known_to_take_long_gets_its_time():
    ended = run("dog.restart(seconds=20); time.sleep(1.2); dog.stop()")
    assert (ended.returncode, ended.stdout) == (0, "lived\n")


def test_progress_and_idleness_end_no_process():
    ended = run("[(time.sleep(0.2), dog.restart()) for _ in range(5)]; dog.stop(); time.sleep(0.8)")
    assert (ended.returncode, ended.stdout) == (0, "lived\n")
