"""Is the process of this container well? `python docker/healthcheck.py web|worker|beat`; exit code 0 means yes.

Kept out of the application: it imports nothing of it, so a check costs no start of Django (the worker's does, through
celery, once a minute).
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Beat writes its schedule every three minutes; one that is three times older belongs to a beat that hangs.
BEAT_SCHEDULE = Path("/tmp/beat-schedule")  # noqa: S108 (a file system of the container's own)
BEAT_SECONDS = 9 * 60


def web() -> bool:
    """Answer whether uploads can be taken: database, broker and model are there."""
    hosts = [host.strip().lstrip(".") for host in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    host = next((host for host in hosts if host and host != "*"), "localhost")
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=6)
    connection.request("GET", "/health/ready", headers={"Host": host})
    return connection.getresponse().status == http.HTTPStatus.OK


def worker() -> bool:
    """Answer whether this container's worker replies over the broker."""
    ping = ["celery", "-A", "brainscan", "inspect", "ping", "--timeout", "10"]
    ping += ["--destination", f"celery@{socket.gethostname()}"]
    return subprocess.run(ping, stdout=subprocess.DEVNULL, timeout=28, check=False).returncode == 0


def beat() -> bool:
    """Answer whether beat has written its schedule lately."""
    # Depending on the kind of database Python was built with, the file gets an ending, or becomes several.
    files = BEAT_SCHEDULE.parent.glob(f"{BEAT_SCHEDULE.name}*")
    return any(time.time() - file.stat().st_mtime < BEAT_SECONDS for file in files)


CHECKS: dict[str, Callable[[], bool]] = {"web": web, "worker": worker, "beat": beat}


def main(name: str) -> int:
    """Run one check; whatever it raises is a no."""
    try:
        return 0 if CHECKS[name]() else 1
    except (OSError, subprocess.SubprocessError, http.client.HTTPException) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"Give one of {', '.join(CHECKS)}. Received: {' '.join(sys.argv[1:]) or 'nothing'}")
    sys.exit(main(sys.argv[1]))
