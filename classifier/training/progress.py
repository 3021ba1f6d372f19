"""One line of progress with the time left, on a terminal or in a log."""

import time
from typing import TextIO

WIDTH = 24
LOG_SECONDS = 30.0
"""A log needs regular signs of progress, not one line per step."""

TERMINAL_SECONDS = 0.2


class ProgressLine:
    """Shows how far a long task is; call it with what is done."""

    def __init__(self, stream: TextIO, *, label: str) -> None:
        """Start the clock.

        Args:
            stream: Usually standard error.
            label: What is being done.
        """
        self.stream, self.label = stream, label
        self.terminal = stream.isatty()
        self.started = time.monotonic()
        self.shown = float("-inf")
        self.first = self.last = 0

    def __call__(self, done: int, total: int, *, left: float | None = None, note: str = "") -> None:
        """Show the state, but not too often.

        Args:
            done: Parts done.
            total: All parts.
            left: Seconds left, if the caller knows better than the average so far.
            note: Something to show behind it.
        """
        now = time.monotonic()
        if not self.first or done <= self.last:  # A new part of the task has its own pace.
            self.first, self.started = done, now
        self.last = done
        if done < total and now - self.shown < (TERMINAL_SECONDS if self.terminal else LOG_SECONDS):
            return
        self.shown = now
        if left is None and done > self.first:
            left = (now - self.started) / (done - self.first) * (total - done)
        line = f"{self.label} {_bar(done, total)} {done}/{total}"
        if left is not None:
            line += f", {_span(left)} left"
        line += f"  {note}" if note else ""
        end = "\n" if done >= total or not self.terminal else ""
        self.stream.write(("\r\x1b[K" if self.terminal else "") + line + end)
        self.stream.flush()


def _bar(done: int, total: int) -> str:
    filled = round(WIDTH * done / max(total, 1))
    return "[" + "#" * filled + "." * (WIDTH - filled) + "]"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
