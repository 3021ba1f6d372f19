"""Ends a process whose work in hand makes no progress. Its supervisor starts another, which takes the work over."""

import faulthandler
import sys
from threading import Lock


class Watchdog:
    """A timer that is wound up by progress.

    It is the interpreter's own, written in C: it also fires while an extension that hangs holds the interpreter's
    lock. It prints where every thread was and ends the process at once, with exit code 1. A process has one.
    """

    def __init__(self, *, seconds: float) -> None:
        """Takes how long work may stand still."""
        self.seconds = seconds
        self._lock = Lock()

    def restart(self) -> None:
        """There is work in hand, and it has just made progress."""
        with self._lock:
            # Celery puts a logger in place of sys.stderr, and the timer needs a file.
            faulthandler.dump_traceback_later(self.seconds, exit=True, file=sys.__stderr__ or sys.stderr)

    def stop(self) -> None:
        """There is no work in hand."""
        with self._lock:
            faulthandler.cancel_dump_traceback_later()
