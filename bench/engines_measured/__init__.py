"""Engines that are measured against the product's own and never served.

`docs/decisions/0004-cpu-engine.md` compares them. Each module has the form of the modules in
`classifier/inference/engines/`, so the product's export code makes and keeps their graphs too.
"""

import importlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference import engines
from classifier.inference.engines import Engine
from classifier.inference.engines.export import prepare
from classifier.inference.registry import load_card

MEASURED = {"onnxruntime": "OnnxRuntimeEngine", "litert": "LiteRtEngine"}


def runnable_engines() -> list[str]:
    """Return the names of all engines that can run here, the product's first."""
    served = [name for name in engines.ENGINES if engines.is_installed(name) and engines.is_computed_here(name)]
    return [*served, *(name for name in MEASURED if is_installed(name))]


def is_installed(name: str) -> bool:
    """Return whether the package of a measured engine is installed, without importing it."""
    try:
        importlib.metadata.version(_module(name).DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def prepare_model(
    folder: Path, *, engine: str, exports: Path | None = None, announce: Callable[[], None] | None = None
) -> Path | None:
    """Make the graph of an engine, the product's or a measured one; see `classifier.inference.engines.prepare_model`.

    Raises:
        ModelError: If the engine or the model cannot be used.
    """
    if engine not in MEASURED:
        return engines.prepare_model(folder, engine=engine, exports=exports, announce=announce)
    return prepare(load_card(folder), engine=engine, exports=exports, announce=announce, package=__name__)


def load_engine(folder: Path, *, engine: str, exports: Path | None = None) -> Engine:
    """Load and warm up an engine, the product's or a measured one; see `classifier.inference.engines.load_engine`.

    Raises:
        ModelError: If the engine or the model cannot be used.
    """
    if engine not in MEASURED:
        return engines.load_engine(folder, engine=engine, exports=exports)
    card = load_card(folder)
    graph = prepare(card, engine=engine, exports=exports, package=__name__)
    loaded: Engine = getattr(_module(engine), MEASURED[engine])(card, graph)
    size, channels = card.preprocessing.size, card.preprocessing.channels
    loaded.predict(np.zeros((1, size, size, channels), np.float32))
    return loaded


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")
