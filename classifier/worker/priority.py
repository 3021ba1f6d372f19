"""Which threads of the worker come first: the network's, since they wait for each other many times in a pass.

A processor that is taken from one of them for a moment is taken from all. The other steps can wait a little, and once
the network has nothing to do, they run at full speed. Linux only, where a priority is a thread's own.
"""

import os
import sys
import threading

LOWEST = 19
"""Niceness of the readers, which work ahead of what is needed next."""
BELOW_NETWORK = 5
"""How much nicer than the network are the steps that it would soon wait for: beside it they still get about a fourth of
a processor."""


def set_lowest_priority() -> None:
    """Let this thread run on what the network leaves."""
    _set(LOWEST)


def set_priority_below_network() -> None:
    """Let the network come first, without falling behind it."""
    if sys.platform == "linux":
        _set(min(LOWEST, os.getpriority(os.PRIO_PROCESS, 0) + BELOW_NETWORK))


def _set(niceness: int) -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
