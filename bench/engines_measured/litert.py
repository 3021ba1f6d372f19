"""LiteRT (formerly TensorFlow Lite) with XNNPACK."""

from pathlib import Path
from typing import Any

import numpy as np

from classifier.inference.engines.base import EngineOutput, thread_count
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

DISTRIBUTION = "ai-edge-litert"
GRAPH = "model.tflite"
INPUT = "image"


class LiteRtEngine:
    """Run an exported graph, one image after the other, because XNNPACK requires fixed shapes."""

    name = "litert"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Read the graph.

        Args:
            card: The model's card.
            folder: The folder that `write` filled.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.card = card
        interpreter = Interpreter(model_path=str(folder / GRAPH), num_threads=thread_count())
        self._run = interpreter.get_signature_runner()

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network; see `Engine.predict`."""
        batch = np.ascontiguousarray(batch, np.float32)
        rows = [self._run(**{INPUT: batch[i : i + 1]}) for i in range(len(batch))]
        return EngineOutput(*(np.concatenate([row[name] for row in rows]) for name in EngineOutput._fields))


def write(network: Any, *, card: ModelCard, folder: Path) -> None:
    """Convert a network, in a process with TensorFlow; see `openvino.write`."""
    import keras

    shape = (1, card.preprocessing.size, card.preprocessing.size, card.preprocessing.channels)
    signature = [keras.InputSpec(shape=shape, dtype="float32", name=INPUT)]
    network.export(str(folder / GRAPH), format="litert", input_signature=signature, verbose=False)
