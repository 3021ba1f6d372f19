"""News of analyses that have ended, from whoever wrote the end to every process where somebody waits for it."""

import time
from collections.abc import Callable, Collection
from threading import Lock, Thread
from typing import Any
from uuid import UUID

import structlog
from celery import current_app
from kombu.entity import Exchange, Queue

from classifier.queue.broker import talk

logger = structlog.get_logger(__name__)

ENDED = Exchange("ended", type="fanout", durable=False, delivery_mode="transient")  # type: ignore[no-untyped-call]  # kombu has no types
# A message goes to all who listen. They may share the name of a queue, since none is kept for those who do not.
HEARD = Queue("ended", ENDED, durable=False)  # type: ignore[no-untyped-call]
# A connection that was lost is made anew after this long; meanwhile those who wait look for themselves.
PAUSE_SECONDS = 2.0
TURN_SECONDS = 5.0


def tell_ended(analyses: Collection[UUID]) -> bool:
    """Tell that analyses have ended. Returns whether the broker took it; never raises."""
    names = [str(pk) for pk in analyses]
    return talk(lambda producer: producer.publish(names, exchange=ENDED, declare=[ENDED], serializer="json"))


class Listener:
    """Hears the news in a thread and over a connection of its own, from `start` to the end of the process."""

    def __init__(self, hear: Callable[[set[UUID]], None]) -> None:
        """Takes what is called with the ids of analyses that have ended, in the listener's thread."""
        self._hear = hear
        self._lock = Lock()
        self._thread: Thread | None = None
        self.is_listening = False

    def start(self) -> None:
        """Begin to listen; a second call changes nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._listen_for_ever, name="news", daemon=True)
                self._thread.start()

    def _listen_for_ever(self) -> None:
        while True:
            try:
                self._listen()
            except Exception as error:
                # Whatever it is, news can be lost and listening must go on.
                if self.is_listening:
                    logger.warning("news_lost", error=repr(error))
            self.is_listening = False
            time.sleep(PAUSE_SECONDS)

    def _listen(self) -> None:
        with (
            current_app.connection_for_read() as connection,
            connection.Consumer([HEARD], callbacks=[self._take], accept=["json"], no_ack=True),
        ):
            self.is_listening = True
            while True:
                try:
                    connection.drain_events(timeout=TURN_SECONDS)
                except TimeoutError:
                    continue

    def _take(self, names: list[str], _message: Any) -> None:
        self._hear({UUID(name) for name in names})
