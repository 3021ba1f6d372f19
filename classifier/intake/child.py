"""A child process that reads one file under limits, replies, and ends."""

import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from classifier.intake import decoding, messages
from classifier.intake.limits import MAX_CPU_SECONDS, MAX_MEMORY, MAX_SECONDS
from classifier.intake.refusals import RefusedImage

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def serve(connection: socket.socket, *, parent: int) -> NoReturn:
    """Read the file that arrives on a connection, reply, and exit. Called right after the fork.

    Args:
        connection: The other end of the web process's socket.
        parent: Process id of the fork server, with which this process dies.
    """
    code = 1
    try:
        _die_with(parent)
        _limit_resources()
        connection.sendall(messages.READY)
        data = messages.receive_file(connection)
        # The file is untrusted from here on. The kernel ends the process, even inside C code.
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
        _reply(connection, data)
        code = 0
    except (messages.BrokenReply, OSError):
        pass  # the web process gave the file up
    finally:
        # Never returns into the fork server's loop, and runs none of its exit handlers.
        os._exit(code)


def _reply(connection: socket.socket, data: bytes) -> None:
    try:
        image = decoding.decode_image(data)
    except RefusedImage as refusal:
        messages.send_refusal(connection, refusal)
    except MemoryError:
        messages.send_refusal(connection, RefusedImage("too_demanding"))
    except Exception:
        messages.send_reply(connection, messages.ERROR, traceback.format_exc().encode(errors="replace"))
    else:
        messages.send_image(connection, image)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the fork server ends (prctl(2), Linux only)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


def _limit_resources() -> None:
    """Limit memory, and forbid files and core dumps: the memory of this process holds a patient's picture."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + MAX_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
