"""The models that a worker process keeps loaded."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import structlog

from classifier.inference.analyzer import Analyzer

logger = structlog.get_logger(__name__)


class LoadedModels:
    """Load models when an analysis first needs them, and keep those used last within a limit of memory. Thread-safe.

    The cost of a model is the growth of the process's resident memory while it loads. After a load, the models that
    were used longest ago are dropped until the costs add up to at most the limit; the model just loaded and the pinned
    one always stay. The process therefore holds, for the length of a load, the limit and one model more. A model that
    a batch still uses is freed when the batch ends.
    """

    def __init__(
        self, load: Callable[[str], Analyzer], *, limit_bytes: int, memory: Callable[[], int] | None = None
    ) -> None:
        """Keep nothing loaded yet.

        Args:
            load: Loads and warms up a model by its name.
            limit_bytes: Memory that the loaded models may take together.
            memory: Returns the resident memory of the process in bytes.
        """
        self._load, self._limit, self._memory = load, limit_bytes, memory or resident_bytes
        # In the order of their last use.
        self._analyzers: dict[str, Analyzer] = {}
        self._costs: dict[str, int] = {}
        self._pinned = ""
        self._lock = Lock()

    def get(self, name: str, *, pin: bool = False) -> Analyzer:
        """Return a model's analyzer; load it if needed.

        Args:
            name: The model.
            pin: Whether to keep it loaded from now on.

        Raises:
            ModelError: If the model cannot be used.
        """
        with self._lock:
            analyzer = self._analyzers.pop(name, None) or self._loaded(name)
            self._analyzers[name] = analyzer
            self._pinned = name if pin else self._pinned
            self._drop_oldest(keep=name)
            return analyzer

    def names(self) -> list[str]:
        """Return the loaded models, the one used last at the end."""
        with self._lock:
            return list(self._analyzers)

    def as_dict(self) -> dict[str, dict[str, str | int]]:
        """Return version and memory in bytes of each loaded model, as JSON values."""
        with self._lock:
            return {
                name: {"version": analyzer.card.version, "bytes": self._costs[name]}
                for name, analyzer in self._analyzers.items()
            }

    def _loaded(self, name: str) -> Analyzer:
        began, before = time.monotonic(), self._memory()
        analyzer = self._load(name)
        self._costs[name] = max(0, self._memory() - before)
        logger.info(
            "model_loaded",
            model=name,
            version=analyzer.card.version,
            engine=analyzer.engine_name,
            seconds=round(time.monotonic() - began, 2),
            megabytes=self._costs[name] // 2**20,
        )
        return analyzer

    def _drop_oldest(self, *, keep: str) -> None:
        droppable = [name for name in self._analyzers if name not in (keep, self._pinned)]
        while droppable and sum(self._costs[name] for name in self._analyzers) > self._limit:
            name = droppable.pop(0)
            del self._analyzers[name]
            logger.info("model_dropped", model=name, megabytes=self._costs[name] // 2**20)
            gc.collect()


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the kernel does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
