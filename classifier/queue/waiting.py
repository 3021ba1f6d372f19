"""Waiting for analyses to end: news of it, and looks, since news may be lost.

However many clients of a process wait, one query at a time asks for all of them.
"""

import time
from threading import Condition
from uuid import UUID

from classifier.models import Analysis
from classifier.queue.finished import Listener

# A process that hears the news asks this often.
LISTENING_STEP = 0.5
# One that does not, this often at first, and ever more rarely: a result is late by a fortieth of the wait on average.
SHORTEST_STEP, LONGEST_STEP = 0.01, 0.1
STEP_SHARE = 0.05
# Looking takes longer where processors are short: then it is done more rarely, so as not to make them shorter.
LOOK_SHARE = 0.1


class FinishWatch:
    """Lets threads wait for rows. One of the waiting threads looks for all of them; when it leaves, another does."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._awaited: dict[UUID, int] = {}
        self._ended: set[UUID] = set()
        self._looking = False
        self._last_joined = 0.0
        self._look_seconds = 0.0
        self._news = Listener(self._hear)

    def wait(self, pk: UUID, *, seconds: float) -> None:
        """Return when the analysis has ended or is gone, or after `seconds`."""
        deadline = time.monotonic() + seconds
        self._news.start()
        with self._changed:
            self._awaited[pk] = self._awaited.get(pk, 0) + 1
            self._last_joined = time.monotonic()
        try:
            # What ended before this moment is no news any more.
            self._look()
            while not self._has_ended(pk) and (left := deadline - time.monotonic()) > 0:
                if self._begin_to_look():
                    self._look_until_ended(pk, deadline=deadline)
                else:
                    with self._changed:
                        self._changed.wait_for(lambda: pk in self._ended or not self._looking, timeout=left)
        finally:
            with self._changed:
                self._awaited[pk] -= 1
                if not self._awaited[pk]:
                    del self._awaited[pk]
                    self._ended.discard(pk)

    def _has_ended(self, pk: UUID) -> bool:
        with self._changed:
            return pk in self._ended

    def _begin_to_look(self) -> bool:
        with self._changed:
            first, self._looking = not self._looking, True
            return first

    def _look_until_ended(self, pk: UUID, *, deadline: float) -> None:
        try:
            while not self._has_ended(pk) and (left := deadline - time.monotonic()) > 0:
                with self._changed:
                    self._changed.wait_for(lambda: pk in self._ended, timeout=min(left, self._step()))
                if not self._has_ended(pk):
                    self._look()
        finally:
            with self._changed:
                self._looking = False
                self._changed.notify_all()

    def _step(self) -> float:
        if self._news.is_listening:
            return LISTENING_STEP
        waited = time.monotonic() - self._last_joined
        return max(SHORTEST_STEP, min(LONGEST_STEP, waited * STEP_SHARE), self._look_seconds / LOOK_SHARE)

    def _look(self) -> None:
        began = time.monotonic()
        with self._changed:
            awaited = set(self._awaited)
        active = Analysis.objects.filter(pk__in=awaited, state__in=Analysis.ACTIVE)
        self._hear(awaited - set(active.values_list("pk", flat=True)))
        self._look_seconds = time.monotonic() - began

    def _hear(self, ended: set[UUID]) -> None:
        with self._changed:
            if known := ended & self._awaited.keys():
                self._ended |= known
                self._changed.notify_all()


finish_watch = FinishWatch()
"""The one of this process."""
