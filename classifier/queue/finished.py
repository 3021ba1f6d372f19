"""Publish finished analyses to every process that has a client waiting."""

import time
from collections.abc import Callable, Collection
from threading import Lock, Thread
from typing import Any
from uuid import UUID

import structlog
from celery import current_app
from kombu.entity import Exchange, Queue

from classifier.queue.broker import try_publish

logger = structlog.get_logger(__name__)

# kombu has no types.
FINISHED_EXCHANGE = Exchange("finished", type="fanout", durable=False, delivery_mode="transient")  # type: ignore[no-untyped-call]
# Every listener receives every message. They can share a queue name: on Redis, a fanout queue stores nothing.
FINISHED_QUEUE = Queue("finished", FINISHED_EXCHANGE, durable=False)  # type: ignore[no-untyped-call]
# A lost connection is opened again after this long; waiters poll meanwhile.
RECONNECT_SECONDS = 2.0
DRAIN_SECONDS = 5.0


def publish_finished(analyses: Collection[UUID]) -> bool:
    """Publish the ids of finished analyses. Return True if the broker accepted the message; never raise."""
    ids = [str(pk) for pk in analyses]

    def publish(producer: Any) -> None:
        producer.publish(ids, exchange=FINISHED_EXCHANGE, declare=[FINISHED_EXCHANGE], serializer="json")

    return try_publish(publish)


class FinishedListener:
    """Listen for finished analyses in a daemon thread with its own connection.

    Attributes:
        is_listening: whether the listener is connected.
    """

    def __init__(self, on_finished: Callable[[set[UUID]], None]) -> None:
        """Store the callback.

        Args:
            on_finished: called in the listener's thread with the ids of finished analyses.
        """
        self._on_finished = on_finished
        self._lock = Lock()
        self._thread: Thread | None = None
        self.is_listening = False

    def start(self) -> None:
        """Start the thread; a second call changes nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="finished", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except Exception as error:
                # No error may end the thread: messages can be lost, but listening must resume.
                if self.is_listening:
                    logger.warning("listener_disconnected", error=repr(error))
            self.is_listening = False
            time.sleep(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with (
            current_app.connection_for_read() as connection,
            connection.Consumer([FINISHED_QUEUE], callbacks=[self._receive], accept=["json"], no_ack=True),
        ):
            self.is_listening = True
            while True:
                try:
                    connection.drain_events(timeout=DRAIN_SECONDS)
                except TimeoutError:
                    continue

    def _receive(self, ids: list[str], _message: Any) -> None:
        self._on_finished({UUID(pk) for pk in ids})
