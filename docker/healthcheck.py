"""Is the process of this container well? `python docker/healthcheck.py web|worker|beat`; exit code 0 means yes.

Kept out of the application: it imports nothing of it, so a check costs no start of Django.
"""

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Beat writes its schedule every three minutes; one that is three times older belongs to a beat that hangs.
BEAT_SCHEDULE = Path("/tmp/beat-schedule")  # noqa: S108 (a file system of the container's own)
BEAT_SECONDS = 9 * 60
# What the web process itself cannot do without. Uploads are taken and kept while the broker or the workers are away;
# starting the web container again would bring neither back.
WEB_NEEDS = ("database", "model")
# A worker reports to the database every five seconds; see `classifier.queue.heartbeat`.
WORKER_QUERY = "SELECT 1 FROM classifier_workerprocess WHERE host = %s AND heartbeat_at > now() - interval '20 seconds'"


def web() -> bool:
    """Answer whether uploads can be taken: database and model are there."""
    hosts = [host.strip().lstrip(".") for host in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    host = next((host for host in hosts if host and host != "*"), "localhost")
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=6)
    connection.request("GET", "/health/ready", headers={"Host": host})
    response = connection.getresponse()
    if response.status == http.HTTPStatus.OK:
        return True
    if response.status != http.HTTPStatus.SERVICE_UNAVAILABLE:
        return False
    checks = json.loads(response.read())["checks"]
    return all(checks[need] for need in WEB_NEEDS)


def worker() -> bool:
    """Answer whether this container's worker has reported lately. The database is PostgreSQL, as in every container."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        return connection.execute(WORKER_QUERY, [socket.gethostname()]).fetchone() is not None


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
    except Exception as error:
        sys.stderr.write(f"{name}: {error!r}\n")
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"Give one of {', '.join(CHECKS)}. Received: {' '.join(sys.argv[1:]) or 'nothing'}")
    sys.exit(main(sys.argv[1]))
