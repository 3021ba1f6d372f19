"""ONNX Runtime. The export needs tf2onnx."""

from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.engines.base import EngineOutput, thread_count
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

DISTRIBUTION = "onnxruntime"
GRAPH = "model.onnx"
INPUT = "image"


class OnnxRuntimeEngine:
    """Run an exported graph, one image after the other: on a CPU, a batch saves no time."""

    name = "onnxruntime"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Read the graph.

        Args:
            card: The model's card.
            folder: The folder that `write` filled.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count()
        options.inter_op_num_threads = 1
        self.card = card
        self._session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network; see `Engine.predict`."""
        batch = np.ascontiguousarray(batch, np.float32)
        rows = [self._session.run(EngineOutput._fields, {INPUT: batch[i : i + 1]}) for i in range(len(batch))]
        return EngineOutput(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))


def write(network: Any, *, card: ModelCard, folder: Path) -> None:
    """Convert a network, in a process with TensorFlow; see `openvino.write`."""
    import keras

    shape = (None, card.preprocessing.size, card.preprocessing.size, card.preprocessing.channels)
    signature = [keras.InputSpec(shape=shape, dtype="float32", name=INPUT)]
    network.export(str(folder / GRAPH), format="onnx", input_signature=signature, verbose=False)
