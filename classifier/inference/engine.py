"""Engines run a network: one forward pass gives logits, pooled features and class maps."""

import contextlib
import logging
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard, ModelError, load_card

log = logging.getLogger(__name__)

ENGINES = ("keras",)
MAX_THREADS = 16
"""Beyond this many threads a forward pass of a few images only waits for itself."""


class EngineOutput(NamedTuple):
    """What one forward pass gives, for N images and C features.

    Attributes:
        logits: float32 `(N, 4)`; each is the spatial mean of its class map.
        features: float32 `(N, C)`, the spatial mean of the last feature maps.
        class_maps: float32 `(N, h, w, 4)`; `(N, 10, 10, 4)` for Xception at 299 pixels.
    """

    logits: Float32Array
    features: Float32Array
    class_maps: Float32Array


class Engine(Protocol):
    """Runs one model. Not thread-safe by promise: callers that share one hold a lock."""

    card: ModelCard

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Runs the network.

        Args:
            batch: float32 `(N, size, size, channels)` in the card's value range.

        Returns:
            Logits, features and class maps.
        """
        ...


class KerasEngine:
    """The reference engine: the Keras network behind one traced TensorFlow function."""

    def __init__(self, card: ModelCard) -> None:
        """Builds the network, reads its weights and traces it.

        Args:
            card: A verified card.

        Raises:
            ModelError: If the weights do not fit the network.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # TensorFlow already runs in this process, with its threads.
            tf.config.threading.set_intra_op_parallelism_threads(thread_count())
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self.card = card
        network = _load_network(card)
        shape = (None, card.preprocessing.size, card.preprocessing.size, card.preprocessing.channels)
        self._run = tf.function(
            _three_outputs(network), input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False
        )

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Runs the network once; see `Engine.predict`."""
        logits, features, class_maps = self._run(np.ascontiguousarray(batch, np.float32))
        return EngineOutput(logits.numpy(), features.numpy(), class_maps.numpy())


def load_engine(folder: Path, *, engine: str = "auto") -> Engine:
    """Loads a model and warms it up, so that the first image is as fast as every other.

    Args:
        folder: `models/<name>`.
        engine: `keras`, or `auto` for the best one that can run here.

    Returns:
        An engine that has already run once.

    Raises:
        ModelError: If the engine is unknown or the model cannot be used.
    """
    if engine not in ("auto", *ENGINES):
        raise ModelError(f"The engine must be one of auto, {', '.join(ENGINES)}. Received: {engine!r}")
    card = load_card(folder)
    loaded = KerasEngine(card)
    size, channels = card.preprocessing.size, card.preprocessing.channels
    loaded.predict(np.zeros((1, size, size, channels), np.float32))
    return loaded


def thread_count() -> int:
    """Threads for one forward pass: the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(available, MAX_THREADS)


def _load_network(card: ModelCard) -> Any:
    from classifier.inference.network import build_network

    network = build_network(card.network, classes=len(card.labels))
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file lacks, and leaves them at random: here that is an error.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(card.weights.path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        raise ModelError(
            f"{card.weights.path} does not fit the network {card.network!r}. Choose the weights that belong to "
            f"the card. Received: {error}"
        ) from None
    return network


def _three_outputs(network: Any) -> Any:
    """Makes a function from a batch to logits, features and class maps, from the network's own layers."""
    import tensorflow as tf

    from classifier.inference.network import HEAD, backbone_of

    backbone, head = backbone_of(network), network.get_layer(HEAD)

    def forward(batch: Any) -> tuple[Any, Any, Any]:
        maps = backbone(batch, training=False)
        features = tf.reduce_mean(maps, axis=(1, 2))
        class_maps = tf.tensordot(maps, head.kernel, axes=1) + head.bias
        logits = tf.linalg.matmul(features, head.kernel) + head.bias
        return logits, features, class_maps

    return forward
