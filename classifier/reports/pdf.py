"""Make PDF files in child processes. Only they import WeasyPrint: a process that makes no PDF never loads it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import structlog

logger = structlog.get_logger(__name__)

WEB_SECONDS = 2.0
"""A request never waits longer for its file; beyond that, a job makes it."""
JOB_SECONDS = 45.0
# More at once would only make each slower.
_MAX_CHILDREN: Final = 2
_LOWEST: Final = 19

_ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "HOME", "LANG", "LC_ALL", "TMPDIR")

# Subsets of fonts would carry the time, and the order of sets would change the file.
_SAME_BYTES: Final = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0"}


class PdfTimeout(Exception):
    """The file was not ready in time. The child is killed."""


class PdfFailed(RuntimeError):
    """The child ended without a file, for a reason that is not the reader's."""


class Renderer:
    """Makes PDF files, each in a process of its own that has imported its library before. Thread-safe.

    Args:
        niceness: of the children, above this process's own.
    """

    def __init__(self, *, niceness: int = 0) -> None:
        self._niceness = niceness
        self._places = threading.BoundedSemaphore(_MAX_CHILDREN)
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None

    def render(self, document: str, *, seconds: float) -> bytes:
        """Return a tagged PDF file (PDF/UA-1) of an HTML document.

        Raises:
            PdfTimeout: if it is not ready within `seconds`.
            PdfFailed: if it cannot be made.
        """
        deadline = time.monotonic() + seconds
        if not self._places.acquire(timeout=seconds):
            raise PdfTimeout
        try:
            child = self._take()
            try:
                output, errors = child.communicate(document.encode(), timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                child.kill()
                child.communicate()
                raise PdfTimeout from error
        finally:
            self._places.release()
            # The next file finds its child ready.
            self.warm_up()
        if child.returncode or not output:
            logger.error("pdf_failed", code=child.returncode, error=errors.decode(errors="replace")[-2000:])
            raise PdfFailed(f"The process that makes PDF files ended without one. Received: {child.returncode}")
        return output

    def warm_up(self) -> None:
        """Start the process that makes the next file, unless it waits already. Does not wait for its imports."""
        with self._lock:
            if self._spare is None or self._spare.poll() is not None:
                self._spare = self._start()

    def stop(self) -> None:
        """End the waiting child; the next file starts another."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            spare.kill()
            spare.communicate()

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            spare, self._spare = self._spare, None
        # A child that has waited too long ends itself.
        return spare if spare is not None and spare.poll() is None else self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "classifier.reports.pdf_child", str(self._niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | _SAME_BYTES,
            # Ctrl-C in a terminal reaches the parent alone; the child ends when its input is closed.
            start_new_session=True,
        )


for_pages = Renderer()
for_jobs = Renderer(niceness=_LOWEST)
