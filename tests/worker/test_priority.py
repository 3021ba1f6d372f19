"""The network's threads have the higher priority."""

import os
import sys
import threading

import pytest

from classifier.worker.priority import BELOW_NETWORK, LOWEST, set_lowest_priority, set_priority_below_network

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a priority is a thread's own on Linux alone")


def niceness_after(step) -> int:
    found = []

    def run() -> None:
        step()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_only_the_thread_with_lower_priority_is_slower():
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert niceness_after(set_priority_below_network) == min(LOWEST, own + BELOW_NETWORK)
    assert niceness_after(set_lowest_priority) == LOWEST
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
