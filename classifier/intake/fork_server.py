"""The process that forks a child for each file: `python -m classifier.intake.fork_server FD`.

It imports Pillow, NumPy and pydicom once, so that a child is ready in milliseconds. It has a single thread, as a
process that forks should, and it never reads a file itself. It ends when the process that started it closes the
control socket or dies, and its children die with it.
"""

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import warnings

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLSLossless

from classifier.intake import child, decoding, messages

# One byte with the descriptor of a socket: "fork a child that serves this".
_REQUEST_BYTES = 1


def main(control: socket.socket) -> None:
    """Serve requests until the other end of the control socket is closed.

    Args:
        control: Unix stream socket; each byte on it carries the descriptor of one connection.
    """
    _prepare()
    ended, wakeup = socket.socketpair()
    for end in (ended, wakeup):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only a signal with a handler reaches the wakeup descriptor
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    connections: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is ended:
                    ended.recv(4096)
                    _report_ended(connections)
                    continue
                _, descriptors, _, _ = socket.recv_fds(control, _REQUEST_BYTES, 1)
                if not descriptors:
                    return
                connection = socket.socket(fileno=descriptors[0])
                server = os.getpid()
                if pid := os.fork():
                    connections[pid] = connection
                    continue
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for inherited in (control, ended, wakeup, *connections.values()):
                    inherited.close()
                child.serve(connection, parent=server)


def _prepare() -> None:
    """Import what decoders import at their first use, and silence what they print: it may quote the file."""
    # A stop is the web process's to order: it finishes the requests in progress, then closes the socket.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    decoding.warm_up()
    if not get_decoder(JPEGLSLossless).is_available:
        raise ImportError("The decoders of compressed DICOM files are not installed.")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    # Keeps the collector from writing into pages that the children share.
    gc.collect()
    gc.freeze()


def _report_ended(connections: dict[int, socket.socket]) -> None:
    """Collect the children that have ended, and report how those without a reply ended."""
    while connections:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with connections.pop(pid) as connection:
            code = os.waitstatus_to_exitcode(status)
            if code:
                try:
                    connection.setblocking(False)
                    messages.send_reply(connection, messages.ENDED, str(code).encode("ascii"))
                except OSError:
                    continue  # its client has gone


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
