"""End a process whose work makes no progress. Its supervisor starts another, which takes the work over."""

import faulthandler
import sys
from threading import Lock


class Watchdog:
    """A timer that progress restarts.

    The timer is part of the interpreter and written in C, so it also fires while an extension that hangs holds the
    interpreter's lock. It prints the traceback of every thread and ends the process at once, with exit code 1. A
    process has one such timer.
    """

    def __init__(self, *, seconds: float) -> None:
        """Store the longest time without progress."""
        self.seconds = seconds
        self._lock = Lock()

    def restart(self, *, seconds: float | None = None) -> None:
        """Restart the timer: work in flight has just made progress.

        Args:
            seconds: The time for a step that is known to take long; None for the usual time.
        """
        limit = self.seconds if seconds is None else max(seconds, self.seconds)
        with self._lock:
            # Celery replaces sys.stderr with a logger, and the timer needs a file.
            faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__ or sys.stderr)

    def stop(self) -> None:
        """Stop the timer: nothing is in flight."""
        with self._lock:
            faulthandler.cancel_dump_traceback_later()
