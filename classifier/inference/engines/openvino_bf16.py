"""OpenVINO in bfloat16, on processors that support it.

bfloat16 has 8 significant bits instead of 24. That halves the time and changes a logit by a few hundredths, which
matters only if a decision is close: see `classifier.inference.second_look`.
"""

from pathlib import Path

from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.openvino import DISTRIBUTION, compile_graph, run
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

__all__ = ["DISTRIBUTION", "GRAPH_OF", "OpenVinoBf16Engine", "is_computed_here"]

GRAPH_OF = "openvino"
"""It runs the same graph with other kernels."""
CPU_FLAGS = Path("/proc/cpuinfo")
NEEDED_FLAGS = {"avx512_bf16", "amx_bf16"}


class OpenVinoBf16Engine:
    """Run an exported graph in bfloat16, and in float32 on request."""

    name = "openvino_bf16"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Read the graph and compile both sets of kernels.

        Args:
            card: The model's card.
            folder: The folder that `openvino.write` filled.
        """
        self.card = card
        self._rounded = compile_graph(card, folder, precision="bf16")
        self._exact = compile_graph(card, folder)

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network in bfloat16; see `Engine.predict`."""
        return run(self._rounded, batch)

    def predict_exact(self, batch: Float32Array) -> EngineOutput:
        """Run the network in float32; see `Engine.predict`."""
        return run(self._exact, batch)


def is_computed_here() -> bool:
    """Return True if the processor computes in bfloat16 natively. Linux only."""
    try:
        text = CPU_FLAGS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(line.startswith("flags") and NEEDED_FLAGS & set(line.split()) for line in text.splitlines())
