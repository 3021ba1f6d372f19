"""Thread priorities of the worker: the network's threads come first.

The network's threads wait for each other many times in a forward pass, so a delay of one delays all. The other steps
can wait, and they run at full speed while the network is idle. Linux only, where each thread has its own priority.
"""

import os
import sys
import threading

LOWEST = 19
"""Niceness of the readers, which work ahead."""
BELOW_NETWORK = 5
"""Niceness, relative to the network, of the steps on which it depends: next to it they still get about a quarter of a
processor."""


def set_lowest_priority() -> None:
    """Give this thread the processor time that the network leaves."""
    _set(LOWEST)


def set_priority_below_network() -> None:
    """Give this thread a lower priority than the network, high enough to keep up with it."""
    if sys.platform == "linux":
        _set(min(LOWEST, os.getpriority(os.PRIO_PROCESS, 0) + BELOW_NETWORK))


def _set(niceness: int) -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
