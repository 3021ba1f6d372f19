"""gunicorn's settings. Read by `gunicorn -c brainscan/gunicorn.py`."""

import os
from typing import Any

_host = os.environ.get("HOST", "127.0.0.1")
bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
# A long-polling client holds a thread for up to 30 s, so there are many more threads than cores.
threads = 24
# Longer than the longest long-poll (30 s) and than a 20 MB upload over a slow hospital link.
timeout = 120
# A stop waits this long for requests in flight; the supervisor's own limit is above it.
graceful_timeout = 8
# Keeps request bodies and heartbeat files off a disk that may be slow, where the system has it.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn's heartbeat, no data
accesslog = os.environ.get("ACCESS_LOG") or None
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Prepare for the first request, and start the process that reads uploads: neither waits for imports then."""
    from brainscan.warm_up import warm_up
    from classifier.intake import start_reader

    start_reader()
    warm_up()
