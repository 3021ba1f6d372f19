"""A child process that makes PDF files, seen from its parent. Messages are a length and that many bytes, both ways."""

import os
import selectors
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

LENGTH: Final = struct.Struct(">Q")
MAX_DOCUMENTS: Final = 25
"""Documents that a child makes before another takes its place. To start one takes longer than to make a document, and
each document leaves it about 2 MiB larger."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "HOME", "LANG", "LC_ALL", "TMPDIR")
# Subsets of fonts would carry the time, and the order of sets would change the file.
_SAME_BYTES: Final = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0"}
_CHUNK: Final = 1 << 16
_LAST_ERRORS: Final = 2000


class ChildEnded(Exception):
    """The child ended without a file; the message has its exit code and the end of its error output."""


class PdfChild:
    """A child process. Not thread-safe.

    Args:
        niceness: of the child, above this process's own.
    """

    def __init__(self, *, niceness: int) -> None:
        self._made = 0
        # A pipe would fill up, and block the child, with warnings that nobody reads.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, "-m", "classifier.reports.pdf_child", str(niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | _SAME_BYTES,
            # Ctrl-C in a terminal reaches the parent alone; the child ends when its input is closed.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)

    @property
    def pid(self) -> int:
        """The process identifier."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it can make another document. One that has waited too long ends itself."""
        return self._made < MAX_DOCUMENTS and self._process.poll() is None

    def make(self, document: bytes, *, deadline: float) -> bytes:
        """Return the PDF file of an HTML document.

        Args:
            document: The document in UTF-8.
            deadline: Until when, on the clock of `time.monotonic`.

        Raises:
            TimeoutError: If it is not ready in time. The child is of no use any more.
            ChildEnded: If the child ended without it.
        """
        self._made += 1
        unsent, received = memoryview(LENGTH.pack(len(document)) + document), bytearray()
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._input, selectors.EVENT_WRITE)
            waiting.register(self._output, selectors.EVENT_READ)
            while len(received) < LENGTH.size or len(received) < LENGTH.size + LENGTH.unpack_from(received)[0]:
                seconds = deadline - time.monotonic()
                if seconds <= 0:
                    raise TimeoutError
                ready = {key.fileobj for key, _ in waiting.select(seconds)}
                if self._input in ready:
                    unsent = self._send(unsent)
                    if not unsent:
                        waiting.unregister(self._input)
                if self._output in ready:
                    chunk = os.read(self._output.fileno(), _CHUNK)
                    if not chunk:
                        raise ChildEnded(self._last_words())
                    received += chunk
        return bytes(received[LENGTH.size :])

    def stop(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.wait()
        for file in (self._input, self._output, self._errors):
            file.close()

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._input.fileno(), unsent[:_CHUNK]) :]
        except BrokenPipeError:
            # It has ended; its output says so.
            return unsent[:0]

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_ERRORS))
        return f"exit code {code}: {self._errors.read().decode(errors='replace')}"
