"""The reference engine: the Keras network on TensorFlow, JAX or PyTorch, on CPUs and GPUs."""

import contextlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from classifier.inference.engines.base import EngineOutput, thread_count
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard, ModelError

DISTRIBUTION = "keras"
SIZES = (64, 16, 4, 1)
"""Batches are split into these sizes, so that a network is traced, compiled and tuned for only four shapes. A GPU gains
little beyond 64 images of 299 pixels, and a worker claims at most that many by default."""


class KerasEngine:
    """Run the Keras network through one compiled function of its backend."""

    name = "keras"

    def __init__(self, card: ModelCard) -> None:
        """Build the network, read its weights and compile it for every batch size.

        Args:
            card: A verified card.

        Raises:
            ModelError: If the weights do not fit the network.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras

        self.card = card
        backend = keras.backend.backend()
        if backend == "tensorflow":
            _limit_tensorflow()
        self._run = COMPILERS[backend](load_network(card))
        self._pads = gpu_is_used()
        size, channels = card.preprocessing.size, card.preprocessing.channels
        # On a CPU, TensorFlow and PyTorch accept any size; JAX compiles each one.
        for count in SIZES if self._pads or backend == "jax" else SIZES[-1:]:
            self._run(np.zeros((count, size, size, channels), np.float32))

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network; see `Engine.predict`."""
        batch = np.ascontiguousarray(batch, np.float32)
        parts, start = [], 0
        for size in cut(len(batch), pads=self._pads):
            piece = batch[start : start + size]
            padding = np.zeros((size - len(piece), *batch.shape[1:]), np.float32)
            part = self._run(np.concatenate([piece, padding]) if len(padding) else piece)
            parts.append([array[: len(piece)] for array in part])
            start += size
        return EngineOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def cut(count: int, *, pads: bool) -> list[int]:
    """Split a batch into pieces of `SIZES`, largest first.

    Args:
        count: Number of images in the batch.
        pads: Whether to pad a remainder that fills more than half of a size to that size. On a GPU one larger piece
            is faster than several small ones; on a CPU the time depends only on the number of images.

    Returns:
        The sizes of the pieces; their sum is `count`, or more if the last one is padded.
    """
    pieces = []
    for size in SIZES:
        while count >= size or (pads and count > size // 2 > 0):
            pieces.append(size)
            count -= size
    return pieces


def load_network(card: ModelCard) -> Any:
    """Build a card's network with its weights.

    Returns:
        A Keras model from `(N, S, S, channels)` to a dictionary of logits, features and class maps.

    Raises:
        ModelError: If the weights do not fit the network.
    """
    import keras

    from classifier.inference.network import HEAD, build_network

    try:
        network = build_network(card.network, classes=len(card.labels))
    except ValueError as error:
        raise ModelError(f"The card of {card.name} names an unknown network. {error}") from None
    if network.input.shape[-1] != card.preprocessing.channels:
        raise ModelError(
            f"The network {card.network!r} reads images of {network.input.shape[-1]} channels. Correct the card. "
            f"Received: {card.preprocessing.channels}"
        )
    try:
        with warnings.catch_warnings():
            # Keras only warns about layers missing from the file and leaves them random; that must be an error.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(card.weights.path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        raise ModelError(
            f"{card.weights.path} does not fit the network {card.network!r}. Choose the weights that belong to "
            f"the card. Received: {error}"
        ) from None
    pooling = next(layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    class_maps = network.get_layer(HEAD)(pooling.input)
    return keras.Model(network.input, {"logits": network.output, "features": pooling.output, "class_maps": class_maps})


def gpu_is_used() -> bool:
    """Return True if Keras's backend computes on a GPU. Load the backend into this process."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    if backend == "torch":
        import torch

        return bool(torch.cuda.is_available())
    return False


Runner = Callable[[Float32Array], EngineOutput]


def _compile_tensorflow(network: Any) -> Runner:
    import tensorflow as tf

    signature = tf.TensorSpec(network.input.shape, tf.float32)
    traced = tf.function(lambda batch: network(batch, training=False), input_signature=[signature], autograph=False)
    return lambda batch: _to_output(traced(batch), lambda array: array.numpy())


def _compile_jax(network: Any) -> Runner:
    import jax

    trainable = [variable.value for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]
    compiled = jax.jit(lambda batch: network.stateless_call(trainable, others, batch, training=False)[0])
    return lambda batch: _to_output(compiled(batch), np.asarray)


def _compile_torch(network: Any) -> Runner:
    import keras
    import torch

    def run(batch: Float32Array) -> EngineOutput:
        with torch.no_grad():
            return _to_output(network(batch, training=False), keras.ops.convert_to_numpy)

    network.eval()
    torch.set_num_threads(thread_count())
    return run


COMPILERS: dict[str, Callable[[Any], Runner]] = {
    "tensorflow": _compile_tensorflow,
    "jax": _compile_jax,
    "torch": _compile_torch,
}


def _to_output(tensors: dict[str, Any], to_numpy: Callable[[Any], Float32Array]) -> EngineOutput:
    return EngineOutput(*(np.asarray(to_numpy(tensors[name]), np.float32) for name in EngineOutput._fields))


def _limit_tensorflow() -> None:
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # TensorFlow already runs in this process, with its threads.
        tf.config.threading.set_intra_op_parallelism_threads(thread_count())
        tf.config.threading.set_inter_op_parallelism_threads(1)
