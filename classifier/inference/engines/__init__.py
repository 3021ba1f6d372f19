"""Engines that run a network: one forward pass returns logits, pooled features and class maps.

`keras` is the reference and serves GPUs. The others run a graph, exported from the same weights, on CPUs, without
TensorFlow or Keras in the process.
"""

import functools
import importlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.architectures import ENSEMBLE
from classifier.inference.engines.base import Engine, EngineOutput, thread_count
from classifier.inference.engines.ensemble import make_ensemble_engine, member_cards
from classifier.inference.engines.export import ROOT, prepare
from classifier.inference.registry import ModelCard, ModelError, load_card

__all__ = [
    "ENGINES",
    "Engine",
    "EngineOutput",
    "choose_engine",
    "is_computed_here",
    "is_installed",
    "load_engine",
    "prepare_model",
    "thread_count",
]

ON_PROCESSORS = {"openvino": "OpenVinoEngine"}
"""Engines that run an exported graph in float32 (`docs/decisions/0004-cpu-engine.md`)."""
ROUNDING = {"openvino_bf16": "OpenVinoBf16Engine"}
"""Engines that compute with reduced precision if the processor supports it, with the same answers."""
ENGINES = ("keras", *ON_PROCESSORS, *ROUNDING)
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""GPU devices of NVIDIA, AMD, and Windows. Without any of them, the machine has no usable GPU."""


def load_engine(folder: Path, *, engine: str = "auto", exports: Path | None = None) -> Engine:
    """Load a model and warm it up, so that the first image is as fast as the others.

    Args:
        folder: `models/<name>`.
        engine: One of `ENGINES`, or `auto` for the best one that can run here.
        exports: The folder of exported graphs. Exporting a missing graph takes about ten seconds. A temporary folder
            is used if this is None or not writable.

    Returns:
        An engine that has already run once.

    Raises:
        ModelError: If the engine is unknown or not installed, or the model cannot be used.
    """
    name = choose_engine(engine)
    card = load_card(folder)
    if card.network == ENSEMBLE:
        loaded: Engine = make_ensemble_engine(
            card, [_load(name, member, exports=exports) for member in member_cards(card)]
        )
    else:
        loaded = _load(name, card, exports=exports)
    size, channels = card.preprocessing.size, card.preprocessing.channels
    loaded.predict(np.zeros((1, size, size, channels), np.float32))
    return loaded


def prepare_model(
    folder: Path, *, engine: str = "auto", exports: Path | None = None, announce: Callable[[], None] | None = None
) -> Path | None:
    """Export the graph of a model that an engine needs, ahead of loading it.

    Args:
        folder: `models/<name>`.
        engine: See `load_engine`.
        exports: See `load_engine`.
        announce: Called before an export, if the graph is missing.

    Returns:
        The folder of the graph, of an ensemble that of its last member's graph; None for Keras, which needs none.

    Raises:
        ModelError: If the engine or the model cannot be used.
    """
    name = choose_engine(engine)
    if name == "keras":
        return None
    card = load_card(folder)
    members = member_cards(card) if card.network == ENSEMBLE else [card]
    paths = [prepare(member, engine=_graph_of(name), exports=exports, announce=announce) for member in members]
    return paths[-1]


def choose_engine(engine: str = "auto") -> str:
    """Return the name of the engine to use.

    Args:
        engine: One of `ENGINES`, or `auto`: Keras where a GPU can be used, else the fastest that can run here.

    Raises:
        ModelError: If the engine is unknown or not installed.
    """
    if engine == "auto":
        if gpu_usable():
            return "keras"
        fastest_first = (*ROUNDING, *ON_PROCESSORS)
        return next((name for name in fastest_first if is_installed(name) and is_computed_here(name)), "keras")
    if engine not in ENGINES:
        raise ModelError(f"ENGINE must be one of auto, {', '.join(ENGINES)}. Received: {engine!r}")
    if not is_installed(engine):
        package = _module(engine).DISTRIBUTION
        raise ModelError(
            f"ENGINE={engine} needs the package {package}, which is not installed. Install it (pip install {package}) "
            f"or choose one of auto, {', '.join(name for name in ENGINES if is_installed(name))}."
        )
    if not is_computed_here(engine):
        raise ModelError(
            f"ENGINE={engine} needs a processor with AVX-512 BF16 or AMX, which this machine lacks. Choose "
            f"{_graph_of(engine)}, which gives the same answers."
        )
    return engine


def is_installed(engine: str) -> bool:
    """Return True if an engine's package is installed, without importing it."""
    try:
        importlib.metadata.version(_module(engine).DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def is_computed_here(engine: str) -> bool:
    """Return True if this processor supports the engine's precision; every processor supports float32."""
    return engine not in ROUNDING or bool(_module(engine).is_computed_here())


@functools.cache
def gpu_usable() -> bool:
    """Return True if Keras would compute on a GPU.

    Only Keras's backend knows, and it stays in memory once loaded, so a separate process loads it, and only if the
    machine has a GPU at all.
    """
    if not any(map(os.path.exists, GPU_DEVICES)):
        return False
    program = f"import sys; from {__name__}.keras import gpu_is_used; sys.exit(0 if gpu_is_used() else 1)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    return done.returncode == 0


def _load(name: str, card: ModelCard, *, exports: Path | None) -> Engine:
    if name == "keras":
        from classifier.inference.engines.keras import KerasEngine

        return KerasEngine(card)
    made = getattr(_module(name), (ON_PROCESSORS | ROUNDING)[name])
    engine: Engine = made(card, prepare(card, engine=_graph_of(name), exports=exports))
    return engine


def _graph_of(engine: str) -> str:
    """Return the engine whose graph an engine runs, which is usually its own."""
    graph: str = getattr(_module(engine), "GRAPH_OF", engine)
    return graph


def _module(engine: str) -> Any:
    return importlib.import_module(f"{__name__}.{engine}")
