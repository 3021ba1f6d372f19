"""The web process's side: starts the fork server when needed, and reads each file in one of its children."""

import atexit
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from classifier.intake import messages
from classifier.intake.canonical import CanonicalImage
from classifier.intake.limits import MAX_CHILDREN, MAX_SECONDS
from classifier.intake.refusals import RefusedImage

logger = logging.getLogger(__name__)

_ROOT: Final = Path(__file__).resolve().parents[2]
_COMMAND: Final = (sys.executable, "-m", "classifier.intake.fork_server")
# All that the helper needs of the environment: no secret of the web process is there for a file to find.
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR")
# Imports take under a second of processor time, which a busy machine spreads over ten.
_START_SECONDS: Final = 30.0
# The kernel ends a child after `MAX_SECONDS`; the fork server then has this long to say so.
_GRACE_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 2.0
# Ended by a time limit of ours, or killed, which is how the kernel frees memory.
_LIMIT_SIGNALS: Final = (signal.SIGPROF, signal.SIGALRM, signal.SIGKILL)


class ReaderUnavailable(RuntimeError):
    """No child could be started, or it was lost for a reason that is not the file's."""


class Reader:
    """Reads files in child processes. Safe to use from several threads.

    Args:
        command: Starts a fork server; the descriptor of its control socket is added to it.
    """

    def __init__(self, command: Sequence[str] = _COMMAND) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_CHILDREN)
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._spare: socket.socket | None = None

    def start(self) -> None:
        """Start the fork server unless it runs. Does not wait for its imports."""
        with self._lock:
            if self._control is not None:
                return
            ours, theirs = socket.socketpair()
            with theirs:
                # Not `brainscan.processes.pdeathsig`: its signal comes when the starting thread ends, and this thread
                # serves one request. The server learns from the socket when this process ends.
                self._process = subprocess.Popen(
                    [*self._command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    cwd=_ROOT,
                    env=_environment(),
                    # Ctrl-C in a terminal reaches the web process alone, which finishes its requests first.
                    start_new_session=True,
                )
            self._control = ours

    def read(self, parts: Iterable[bytes]) -> CanonicalImage:
        """Read one file.

        Args:
            parts: Its bytes. What this raises is passed on.

        Raises:
            RefusedImage: What reading raised; `too_demanding` if a limit of time or memory ended the child, `damaged`
                if it crashed.
            ReaderUnavailable: If no child can be started, or the fork server was killed in the meantime.
        """
        with self._places, self._connect() as connection:
            for part in itertools.chain(parts, (b"",)):
                try:
                    messages.send_chunk(connection, part)
                except OSError:
                    break  # the child has ended; the reply says how
            try:
                return _result(*messages.receive_reply(connection, seconds=MAX_SECONDS + _GRACE_SECONDS))
            except TimeoutError as error:
                logger.error("The fork server of intake does not answer; it is replaced.")
                self.stop()
                raise RefusedImage("too_demanding") from error
            except (messages.BrokenReply, ConnectionError) as error:
                raise ReaderUnavailable(f"A child of intake was lost. Received: {error}") from error

    def stop(self) -> None:
        """End the fork server with its children; the next file starts another."""
        with self._lock:
            control, process, spare = self._control, self._process, self._spare
            self._control = self._process = self._spare = None
        if spare is not None:
            spare.close()
        if control is None or process is None:
            return
        control.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """Drop the parent's fork server in a process that was forked from it."""
        for connection in (self._control, self._spare):
            if connection is not None:
                connection.close()

    def _connect(self) -> socket.socket:
        """Return a connection to a child that has read nothing yet. A fork server that has died is replaced once.

        The next child is forked while this one works, so that an upload seldom waits for a fork.
        """
        for _ in range(2):
            self.start()
            connection = self._take_spare() or self._request_child()
            if connection is not None and _is_ready(connection):
                spare = self._request_child()
                with self._lock:
                    self._spare, spare = spare, self._spare
                if spare is not None:  # another thread was faster
                    spare.close()
                return connection
            logger.warning("The fork server of intake does not answer; it is replaced.")
            self.stop()
        raise ReaderUnavailable("The process that reads images cannot be started; its own error is above in the log.")

    def _take_spare(self) -> socket.socket | None:
        with self._lock:
            spare, self._spare = self._spare, None
            return spare

    def _request_child(self) -> socket.socket | None:
        """Ask for a child and return the connection to it, or None if there is no fork server to ask."""
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            try:
                if self._control is not None:
                    socket.send_fds(self._control, [b"\0"], [theirs.fileno()])
                    return ours
            except OSError:
                pass  # it has died; the caller replaces it
        ours.close()
        return None


def _is_ready(connection: socket.socket) -> bool:
    """Wait until a child has been forked for the connection; close it and return False if none is."""
    connection.settimeout(_START_SECONDS)
    try:
        if connection.recv(len(messages.READY)) == messages.READY and not _is_closed(connection):
            connection.settimeout(MAX_SECONDS)
            return True
    except OSError:
        pass
    connection.close()
    return False


def _is_closed(connection: socket.socket) -> bool:
    """Whether the child behind a connection, which has nothing more to say yet, has ended meanwhile."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True


def shared() -> Reader:
    """Return the reader of this process."""
    return _shared


def _result(kind: bytes, payload: bytearray) -> CanonicalImage:
    if kind == messages.IMAGE:
        return messages.parsed_image(payload)
    if kind == messages.REFUSAL:
        raise messages.parsed_refusal(payload)
    if kind == messages.ERROR:
        logger.error("Reading an upload raised an error:\n%s", payload.decode(errors="replace"))
        raise RefusedImage("damaged")
    if kind != messages.ENDED:
        raise messages.BrokenReply(f"Unknown kind of reply. Received: {kind!r}")
    code = messages.parsed_exit_code(payload)
    ended_by = signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"
    logger.warning("A file ended the process that read it: %s", ended_by)
    raise RefusedImage("too_demanding" if -code in _LIMIT_SIGNALS else "damaged")


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # A process that forks must have one thread; these libraries would start more when they are imported.
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _after_fork() -> None:
    global _shared
    _shared.forget()
    _shared = Reader()


_shared = Reader()
os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _shared.stop())
