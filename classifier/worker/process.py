"""The one pipeline of a worker process: started with a warm model before Celery takes the first message."""

import os
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from classifier.inference.analyzer import Analyzer
from classifier.queue.heartbeat import Identity, deregister, heartbeat
from classifier.worker.loaded_models import LoadedModels
from classifier.worker.pipeline import Pipeline

logger = structlog.get_logger(__name__)

# Several heartbeats fit into the timeout after which a worker counts as dead.
HEARTBEAT_SECONDS = 5.0
# Shorter than the supervisor's stop timeout, so that the worker exits before it is killed.
STOP_SECONDS = 10.0


def load_analyzer(name: str) -> Analyzer:
    """Load and warm up a model.

    Raises:
        ModelError: if the model cannot be used.
    """
    return Analyzer.from_folder(Path(settings.MODELS_DIR) / name, engine=settings.ENGINE, exports=settings.EXPORTS_DIR)


class Worker:
    """A running pipeline and its heartbeats."""

    def __init__(self, model: str) -> None:
        """Load the default model and start both.

        Args:
            model: the name of the model that stays loaded.

        Raises:
            ModelError: if it cannot be used.
        """
        self._models = LoadedModels(load_analyzer, limit_bytes=settings.MODEL_MEMORY_MB * 2**20)
        analyzer = self._models.get(model, pin=True)
        self.pipeline = Pipeline(
            load=self._models.get,
            batch_size=settings.BATCH_SIZE,
            lease_seconds=settings.LEASE_SECONDS,
            stuck_seconds=settings.STUCK_SECONDS,
        )
        self._identity = Identity(
            id=uuid.uuid4(),
            host=socket.gethostname(),
            pid=os.getpid(),
            model_name=analyzer.card.name,
            model_version=analyzer.card.version,
            engine=analyzer.engine_name,
            started_at=timezone.now(),
        )
        self._stopped = Event()
        self.pipeline.start()
        self._heartbeats = Thread(target=self._send_heartbeats, name="heartbeats", daemon=True)
        self._heartbeats.start()

    @property
    def model(self) -> tuple[str, str]:
        """Name and version of the model that stays loaded."""
        return self._identity.model_name, self._identity.model_version

    def stop(self) -> None:
        """Finish the batch in the network, return the rest to the queue, and deregister."""
        if not self.pipeline.stop(seconds=STOP_SECONDS):
            logger.warning("stopped_with_work_in_flight")
        self._stopped.set()
        self._heartbeats.join(HEARTBEAT_SECONDS)

    def _send_heartbeats(self) -> None:
        while True:
            self._write(lambda: heartbeat(self._identity, measurements=self._measurements()))
            if self._stopped.wait(HEARTBEAT_SECONDS):
                break
        self._write(lambda: deregister(self._identity))
        connection.close()

    def _measurements(self) -> dict[str, Any]:
        return self.pipeline.measurements.as_dict() | {"models": self._models.as_dict()}

    def _write(self, write: Callable[[], None]) -> None:
        try:
            close_old_connections()
            write()
        except AnyDatabaseError as error:
            logger.warning("heartbeat_failed", error=repr(error))
