"""OpenVINO: the CPU engine, without TensorFlow in memory."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.engines.base import EngineOutput, thread_count
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

DISTRIBUTION = "openvino"
GRAPH = "model.xml"
OUTPUTS = EngineOutput._fields


class OpenVinoEngine:
    """Run an exported graph, one image after the other.

    On a CPU, a batch saves no time (`docs/decisions/0004-cpu-engine.md`). With a fixed batch of one, a single set of
    kernels is compiled while loading. No batch size is slow at its first use, memory does not grow with the batch,
    and an image's result is bit-identical in every batch.
    """

    name = "openvino"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Read the graph and compile its kernels.

        Args:
            card: The model's card.
            folder: The folder that `write` filled.
        """
        self.card = card
        self._request = compile_graph(card, folder)

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network; see `Engine.predict`."""
        return run(self._request, batch)


def compile_graph(card: ModelCard, folder: Path, *, precision: str = "f32") -> Any:
    """Compile a graph's kernels for one image at a time.

    Args:
        card: The model's card.
        folder: The folder that `write` filled.
        precision: Precision of the kernels: `f32` or `bf16`.

    Returns:
        OpenVINO's inference request.
    """
    core = import_openvino().Core()
    model = core.read_model(folder / GRAPH)
    size, channels = card.preprocessing.size, card.preprocessing.channels
    model.reshape([1, size, size, channels])
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": thread_count(),
        # By default OpenVINO uses bfloat16 if the processor supports it, so hosts would silently disagree.
        "INFERENCE_PRECISION_HINT": precision,
        # Otherwise two workers on one host would be pinned to the same processors.
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", settings).create_infer_request()


def run(request: Any, batch: Float32Array) -> EngineOutput:
    """Run a compiled graph on images `(N, size, size, channels)`, one after the other."""
    batch = np.ascontiguousarray(batch, np.float32)
    rows = [request.infer([batch[i : i + 1]], share_inputs=True) for i in range(len(batch))]
    return EngineOutput(*(np.concatenate([row[name] for row in rows]) for name in OUTPUTS))


def write(network: Any, *, card: ModelCard, folder: Path) -> None:
    """Convert a network, in a process with TensorFlow.

    Args:
        network: A Keras model from `(N, S, S, channels)` to a dictionary of logits, features and class maps.
        card: The model's card.
        folder: Target folder of the graph.
    """
    import tensorflow as tf

    openvino = import_openvino()
    shape = (None, card.preprocessing.size, card.preprocessing.size, card.preprocessing.channels)
    traced = tf.function(lambda image: network(image, training=False), autograph=False)
    model = openvino.convert_model(traced.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image")))
    openvino.save_model(model, folder / GRAPH, compress_to_fp16=False)


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report conversions to its vendor."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Makes its import fail; a stub steps in.
    import openvino

    return openvino
