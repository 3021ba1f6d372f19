"""A worker whose network is a fixed wait, for `bench.scaling`: `celery -A bench.waiting_worker worker …`.

Everything else is the product's own worker. It counts its database statements in the file that `STATEMENTS_FILE` names.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

import django
import django.db.backends.utils as database
import numpy as np
from celery import signals

from bench.scaling import WAIT_SECONDS
from brainscan.celery import app
from classifier.inference.analyzer import Analyzer
from classifier.inference.engines import EngineOutput
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import load_card

__all__ = ["app"]

# The output of Xception at 224 pixels.
GRID, FEATURES = 7, 2048
WRITE_SECONDS = 0.5


class WaitingEngine:
    """An engine that waits and then returns the same output for every image."""

    name = "wait"

    def __init__(self, folder: Path) -> None:
        self.card = load_card(folder)

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Wait for `WAIT_SECONDS` per image; see `Engine.predict`."""
        time.sleep(WAIT_SECONDS * len(batch))
        count = len(batch)
        logits = np.tile(np.array([2.0, -1.0, -2.0, -3.0], np.float32), (count, 1))
        maps = np.broadcast_to(logits[:, None, None], (count, GRID, GRID, 4)).astype(np.float32)
        return EngineOutput(logits, np.zeros((count, FEATURES), np.float32), maps)


def _load(name: str) -> Analyzer:
    from django.conf import settings

    return Analyzer(WaitingEngine(Path(settings.MODELS_DIR) / name))


def _count_statements(path: Path) -> None:
    count, lock = 0, threading.Lock()
    wrapper: Any = database.CursorWrapper
    original = wrapper._execute_with_wrappers

    def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal count
        with lock:
            count += 1
        return original(self, *arguments, **named)

    def report() -> None:
        while True:
            path.write_text(str(count), encoding="ascii")
            time.sleep(WRITE_SECONDS)

    wrapper._execute_with_wrappers = counted
    threading.Thread(target=report, name="statements", daemon=True).start()


@signals.celeryd_init.connect
def prepare(**_: Any) -> None:
    """Put the waiting engine in the place of the network, before the worker loads it."""
    django.setup()
    from classifier.worker import process

    process.load_analyzer = _load
    _count_statements(Path(os.environ["STATEMENTS_FILE"]))
