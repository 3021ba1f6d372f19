"""Make PDF files in child processes. Only they import WeasyPrint: a process that makes no PDF never loads it."""

import threading
import time
from typing import Final

import structlog

from classifier.reports.pdf_process import ChildEnded, PdfChild

logger = structlog.get_logger(__name__)

WEB_SECONDS = 2.0
"""A request never waits longer for its file; beyond that, a job makes it."""
JOB_SECONDS = 45.0
# More at once would only make each slower.
_MAX_CHILDREN: Final = 2
_LOWEST: Final = 19


class PdfTimeout(Exception):
    """The file was not ready in time. The child is killed."""


class PdfFailed(RuntimeError):
    """The child ended without a file, for a reason that is not the reader's."""


class Renderer:
    """Makes PDF files in processes of their own that have imported their library before. Thread-safe.

    A process makes one file after the other. One that is too slow is killed, and its memory returned.

    Args:
        niceness: of the processes, above this one's own.
    """

    def __init__(self, *, niceness: int = 0) -> None:
        self._niceness = niceness
        self._places = threading.BoundedSemaphore(_MAX_CHILDREN)
        self._lock = threading.Lock()
        self._spare: PdfChild | None = None

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
                output = child.make(document.encode(), deadline=deadline)
            except BaseException:
                child.stop()
                raise
            self._put_back(child)
        except TimeoutError as error:
            raise PdfTimeout from error
        except ChildEnded as error:
            logger.error("pdf_failed", error=str(error))
            raise PdfFailed(f"The process that makes PDF files ended without one. Received: {error}") from error
        finally:
            self._places.release()
            # The next file finds its child ready.
            self.warm_up()
        return output

    def warm_up(self) -> None:
        """Start the process that makes the next file, unless it waits already. Does not wait for its imports."""
        with self._lock:
            if self._spare is None or not self._spare.is_usable:
                if self._spare is not None:
                    self._spare.stop()
                self._spare = PdfChild(niceness=self._niceness)

    def stop(self) -> None:
        """End the waiting child; the next file starts another."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            spare.stop()

    def _take(self) -> PdfChild:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.is_usable:
            return spare
        if spare is not None:
            spare.stop()
        return PdfChild(niceness=self._niceness)

    def _put_back(self, child: PdfChild) -> None:
        with self._lock:
            if self._spare is None and child.is_usable:
                self._spare = child
                return
        child.stop()


for_pages = Renderer()
for_jobs = Renderer(niceness=_LOWEST)
