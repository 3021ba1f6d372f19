"""The one pipeline of a worker process: made and warmed before Celery takes the first message, ended with it."""

import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

import structlog
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from classifier.inference.analyser import Analyser
from classifier.queue.heartbeat import Identity, deregister, heartbeat
from classifier.worker.pipeline import Pipeline

logger = structlog.get_logger(__name__)

# Several reports fit into the time after which a worker counts as dead.
REPORT_SECONDS = 5.0
# Shorter than the time that a supervisor leaves a worker to stop, so that it ends by itself.
STOP_SECONDS = 10.0

_analysers: dict[str, Analyser] = {}
_loading = Lock()


def load_analyser(name: str) -> Analyser:
    """Return the model's analyser, loading and warming it at the first call. Thread-safe.

    Raises:
        ModelError: if the model cannot be used.
    """
    with _loading:
        if name not in _analysers:
            begin = time.monotonic()
            _analysers[name] = Analyser.from_folder(
                Path(settings.MODELS_DIR) / name, engine=settings.ENGINE, exports=settings.EXPORTS_DIR
            )
            analyser = _analysers[name]
            seconds = round(time.monotonic() - begin, 2)
            engine = analyser.engine_name
            logger.info("model_loaded", model=name, version=analyser.card.version, engine=engine, seconds=seconds)
        return _analysers[name]


class Worker:
    """A running pipeline and its reports."""

    def __init__(self, analyser: Analyser) -> None:
        """Starts both."""
        self.pipeline = Pipeline(
            load=load_analyser,
            batch_size=settings.BATCH_SIZE,
            lease_seconds=settings.LEASE_SECONDS,
            stuck_seconds=settings.STUCK_SECONDS,
        )
        self._identity = Identity(
            id=uuid.uuid4(),
            host=socket.gethostname(),
            pid=os.getpid(),
            model_name=analyser.card.name,
            model_version=analyser.card.version,
            engine=analyser.engine_name,
            started_at=timezone.now(),
        )
        self._stopped = Event()
        self.pipeline.start()
        self._reports = Thread(target=self._report_all, name="reports", daemon=True)
        self._reports.start()

    def stop(self) -> None:
        """Finish what is in the network, give the rest back, and sign off."""
        if not self.pipeline.stop(seconds=STOP_SECONDS):
            logger.warning("stopped_with_work_in_flight")
        self._stopped.set()
        self._reports.join(REPORT_SECONDS)

    def _report_all(self) -> None:
        while True:
            self._write(lambda: heartbeat(self._identity, measurements=self.pipeline.measurements.as_dict()))
            if self._stopped.wait(REPORT_SECONDS):
                break
        self._write(lambda: deregister(self._identity))
        connection.close()

    def _write(self, write: Callable[[], None]) -> None:
        try:
            close_old_connections()
            write()
        except AnyDatabaseError as error:
            logger.warning("report_failed", error=repr(error))
