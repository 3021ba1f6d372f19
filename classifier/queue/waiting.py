"""Block threads until their analyses finish.

A message says that an analysis has finished. Messages can be lost, so waiters also poll. One query at a time serves
all waiting threads of a process.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from threading import Condition
from uuid import UUID

from classifier.models import Analysis, Explanation, Message, PictureCheck
from classifier.queue.finished import FinishedListener

# In seconds, while the listener is connected.
LISTENING_INTERVAL = 0.5
# In seconds, while it is not: the interval grows with the wait, so a result is late by 2.5% of it on average.
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.01, 0.1
INTERVAL_SHARE = 0.05
# Polls take longer on a busy machine. They may take at most this share of the time, so that they do not add to it.
POLL_SHARE = 0.1


def active_analyses(pks: Collection[UUID]) -> Iterable[UUID]:
    """Return the analyses that are queued or running."""
    return Analysis.objects.filter(pk__in=pks, state__in=Analysis.ACTIVE).values_list("pk", flat=True)


def active_explanations(pks: Collection[UUID]) -> Iterable[UUID]:
    """Return the explanations that are queued or running."""
    return Explanation.objects.filter(pk__in=pks, state__in=Explanation.ACTIVE).values_list("pk", flat=True)


def active_checks(pks: Collection[UUID]) -> Iterable[UUID]:
    """Return the explanations whose statements about the picture are being checked."""
    active = PictureCheck.objects.filter(explanation__in=pks, state__in=PictureCheck.ACTIVE)
    return active.values_list("explanation_id", flat=True)


def active_messages(pks: Collection[UUID]) -> Iterable[UUID]:
    """Return the messages whose answer is queued or being written."""
    return Message.objects.filter(pk__in=pks, state__in=Message.ACTIVE).values_list("pk", flat=True)


class CompletionWaiter:
    """Block threads until their analyses finish.

    One waiting thread polls on behalf of all; when it returns, another takes over. A lost notification only adds
    latency: waiters also poll, every 0.5 s while the listener is connected.
    """

    def __init__(self, active: Callable[[Collection[UUID]], Iterable[UUID]] | None = None) -> None:
        """Store how to look.

        Args:
            active: returns those of some rows that are unfinished; by default, rows of `Analysis`.
        """
        self._active = active or active_analyses
        self._changed = Condition()
        # How many threads wait for each analysis.
        self._awaited: Counter[UUID] = Counter()
        self._finished: set[UUID] = set()
        self._polling = False
        self._last_joined = 0.0
        self._poll_seconds = 0.0
        self._listener = FinishedListener(self._mark_finished)

    def wait(self, *pks: UUID, seconds: float) -> None:
        """Return when one of the analyses has finished or was deleted, or after `seconds`."""
        deadline = time.monotonic() + seconds
        awaited = set(pks)
        self._listener.start()
        with self._changed:
            self._awaited.update(awaited)
            self._last_joined = time.monotonic()
        try:
            # No message comes for an analysis that had finished before.
            self._poll()
            while not self._has_finished(awaited) and (left := deadline - time.monotonic()) > 0:
                if self._begin_polling():
                    self._poll_until_finished(awaited, deadline=deadline)
                else:
                    with self._changed:
                        self._changed.wait_for(lambda: awaited & self._finished or not self._polling, timeout=left)
        finally:
            with self._changed:
                self._awaited -= Counter(awaited)
                self._finished &= self._awaited.keys()

    def _has_finished(self, awaited: set[UUID]) -> bool:
        """Return True if one of them has finished."""
        with self._changed:
            return not awaited.isdisjoint(self._finished)

    def _begin_polling(self) -> bool:
        """Return True if no other thread polls."""
        with self._changed:
            is_first, self._polling = not self._polling, True
            return is_first

    def _poll_until_finished(self, awaited: set[UUID], *, deadline: float) -> None:
        try:
            while not self._has_finished(awaited) and (left := deadline - time.monotonic()) > 0:
                with self._changed:
                    self._changed.wait_for(lambda: awaited & self._finished, timeout=min(left, self._interval()))
                if not self._has_finished(awaited):
                    self._poll()
        finally:
            with self._changed:
                self._polling = False
                self._changed.notify_all()

    def _interval(self) -> float:
        if self._listener.is_listening:
            return LISTENING_INTERVAL
        waited = time.monotonic() - self._last_joined
        return max(SHORTEST_INTERVAL, min(LONGEST_INTERVAL, waited * INTERVAL_SHARE), self._poll_seconds / POLL_SHARE)

    def _poll(self) -> None:
        began = time.monotonic()
        with self._changed:
            awaited = set(self._awaited)
        self._mark_finished(awaited - set(self._active(awaited)))
        self._poll_seconds = time.monotonic() - began

    def _mark_finished(self, finished: set[UUID]) -> None:
        with self._changed:
            if known := finished & self._awaited.keys():
                self._finished |= known
                self._changed.notify_all()


completion_waiter = CompletionWaiter()
"""The waiter of this process."""

explanation_waiter = CompletionWaiter(active_explanations)
"""The waiter of this process for explanations by language models. A piece of a growing text wakes it, too."""

check_waiter = CompletionWaiter(active_checks)
"""The waiter of this process for checks of statements about the picture, by their explanations."""

message_waiter = CompletionWaiter(active_messages)
"""The waiter of this process for answers in conversations. A piece of an answer wakes it, too."""
