"""How many clients may wait at once.

A waiting client holds a thread of the web server. Uploads and pages need threads too, so only half of them may wait,
and no single person may take all of those. Who finds no place is answered at once, as if it had not asked to wait.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Of the 24 threads that `brainscan/gunicorn.py` gives each process.
MAX_WAITING = 12
MAX_WAITING_EACH = 4

_lock = Lock()
_waiting: Counter[int] = Counter()


@contextmanager
def place_to_wait(person_id: int) -> Iterator[bool]:
    """Give a place, if there is one, for as long as the block lasts. Yields whether there was."""
    with _lock:
        free = _waiting.total() < MAX_WAITING and _waiting[person_id] < MAX_WAITING_EACH
        _waiting[person_id] += free
    try:
        yield free
    finally:
        with _lock:
            _waiting[person_id] -= free
            if not _waiting[person_id]:
                del _waiting[person_id]
