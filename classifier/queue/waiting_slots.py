"""The limit on requests that wait for an analysis at the same time, of pages and API together.

A waiting request occupies a thread of the web server. Uploads and other requests need threads too, so only half of the
threads may wait, and one user may occupy only some of those. A request beyond the limit is answered at once, as if it
had not asked to wait.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Half of the 24 threads that `brainscan/gunicorn.py` gives each process.
MAX_WAITING = 12
MAX_WAITING_PER_USER = 4

_lock = Lock()
_waiting: Counter[int] = Counter()


@contextmanager
def waiting_slot(user_id: int) -> Iterator[bool]:
    """Reserve a slot, if one is free, while the block runs. Yield whether there was one."""
    with _lock:
        free = _waiting.total() < MAX_WAITING and _waiting[user_id] < MAX_WAITING_PER_USER
        _waiting[user_id] += free
    try:
        yield free
    finally:
        with _lock:
            _waiting[user_id] -= free
            if not _waiting[user_id]:
                del _waiting[user_id]
