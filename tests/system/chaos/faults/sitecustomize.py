"""Faults for the processes of a chaos test. No part of the product.

Python imports a module of this name by itself when it starts; the tests put this folder on `PYTHONPATH`. A fault
strikes while a file of its name lies in the folder that `CHAOS_SWITCHES` names; one that says "once" is taken away by
the first process that it strikes.
"""

import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from chaos_patterns import PATTERNS

SWITCHES = Path(os.environ.get("CHAOS_SWITCHES", "/nonexistent"))
SLOW_SECONDS = 2.0


def is_on(fault: str) -> bool:
    """Whether the fault strikes now; one for a single time is used up by this."""
    switch = SWITCHES / fault
    try:
        if switch.read_text() == "once":
            switch.unlink()
        return True
    except FileNotFoundError:
        return False


def fault_of(image: Any) -> str:
    """The fault that an array `(H, W)`, `(H, W, C)` or `(C, H, W)` of any range carries, or ""."""
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] < image.shape[0] else image[0]
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return ""
    height, width = image.shape
    middles = [image[(2 * y + 1) * height // 8, (2 * x + 1) * width // 8] for y in range(4) for x in range(4)]
    shares = [(float(middle) - low) / (high - low) for middle in middles]
    if any(0.2 < share < 0.8 for share in shares):
        return ""
    return PATTERNS.get("".join("1" if share > 0.5 else "0" for share in shares), "")


def while_decoding(image: Any) -> None:
    """Faults of the decoder."""
    fault = fault_of(image)
    if fault == "hang" and is_on("hang"):
        time.sleep(3600)
    if fault == "freeze" and is_on("freeze"):
        # Unlike `time.sleep` this keeps the interpreter's lock: no other thread of the process runs any more.
        while True:
            ctypes.PyDLL(None).sleep(3600)


def while_forwarding(image: Any) -> None:
    """Faults of the network."""
    fault = fault_of(image)
    if fault == "error" and is_on("error"):
        raise RuntimeError("This image breaks the network.")
    if fault == "death" and is_on("death"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "slow" and is_on("slow"):
        time.sleep(SLOW_SECONDS)


def change_decoder(module: ModuleType) -> None:
    """The worker's decoder meets images that it cannot bear."""
    read = module.read_canonical

    def read_canonical(*args: Any, **kwargs: Any) -> Any:
        pixels = read(*args, **kwargs)
        while_decoding(pixels)
        return pixels

    if "celery" in sys.argv[0]:
        module.read_canonical = read_canonical


class FaultyEngine:
    """An engine that meets images that it cannot bear."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def predict(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        for image in inputs:
            while_forwarding(image)
        return self.engine.predict(inputs, *args, **kwargs)


def change_analyzer(module: ModuleType) -> None:
    """The network meets images that it cannot bear."""
    load = module.load_engine
    module.load_engine = lambda *args, **kwargs: FaultyEngine(load(*args, **kwargs))


def change_notification(module: ModuleType) -> None:
    """The web process ends after the commit, before the message about it."""
    notify = module.notify_workers

    def notify_or_die(*args: Any, **kwargs: Any) -> Any:
        if "gunicorn" in sys.argv[0] and is_on("die-before-notify"):
            os.kill(os.getpid(), signal.SIGKILL)
        return notify(*args, **kwargs)

    module.notify_workers = notify_or_die


def change_storage(module: ModuleType) -> None:
    """The disk takes the first bytes of a file and no more, where no small real disk can be mounted."""
    save = module.FileSystemStorage._save

    def save_some(self: Any, name: str, content: Any) -> Any:
        if is_on("disk-full"):
            path = Path(self.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read()[:1000])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(self, name, content)

    module.FileSystemStorage._save = save_some


def change_supervisor(module: ModuleType) -> None:
    """A program that is killed again and again is not left waiting for half a minute."""
    module.LONGEST_PAUSE = float(os.environ.get("CHAOS_LONGEST_PAUSE", module.LONGEST_PAUSE))


def change_claims(module: ModuleType) -> None:
    """An analysis that went wrong is tried again without much ado."""
    if seconds := os.environ.get("CHAOS_RETRY_SECONDS"):
        module.RETRY_DELAY = timedelta(seconds=float(seconds))


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "classifier.intake.canonical": change_decoder,
    "classifier.inference.analyzer": change_analyzer,
    "classifier.queue.claim": change_claims,
    "classifier.queue.notify": change_notification,
    "django.core.files.storage.filesystem": change_storage,
    "brainscan.processes.supervisor": change_supervisor,
}


class Changed(MetaPathFinder):
    """Changes a module right after its import, before anybody has taken anything out of it."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        change = CHANGES.get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if change is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            change(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Changed())
