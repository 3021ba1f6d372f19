"""The fork server with a decoder that files of these names upset. The product has no hooks for tests."""

import ctypes
import os
import signal
import socket
import sys
import time

from classifier.intake import child, decoding, fork_server

decode = decoding.decode_image


def decode_or_fail(data: bytes):
    fault = data.partition(b" ")[0].decode("ascii", errors="replace")
    if fault == "segfault":
        ctypes.string_at(0)
    if fault == "abort":
        os.abort()
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "exit":
        os._exit(3)
    if fault == "hang":
        time.sleep(3600)
    if fault == "busy":
        while True:
            pass
    if fault == "memory":
        return bytes(2 << 30)
    if fault == "bug":
        raise RuntimeError("A fault of ours.")
    if fault == "file":
        with open("/tmp/left-behind", "wb") as file:
            file.write(b"x" * 4096)
    if fault == "nonsense":
        child_connection().sendall(b"I\0\0\0\5hello")
        os._exit(0)
    return decode(data)


def child_connection() -> socket.socket:
    """The socket of this child: the only one it has."""
    for name in os.listdir("/proc/self/fd"):
        try:
            return socket.socket(fileno=int(name))
        except OSError:
            continue
    raise LookupError("no socket")


# Short limits, so that tests of them are short.
child.MAX_SECONDS, child.MAX_CPU_SECONDS = 5.0, 0.15
decoding.decode_image = decode_or_fail

if __name__ == "__main__":
    fork_server.main(socket.socket(fileno=int(sys.argv[1])))
