"""OpenVINO in bfloat16, on processors that compute in it; in float32 wherever the rounding could be seen.

bfloat16 keeps 8 bits of a number's fraction instead of 24. That halves the time and moves a logit by a few hundredths,
which matters only where a decision is close. Those images are run once more in float32, so that what is said is what
the float32 engine says; how far that was measured is in `docs/decisions/0004-cpu-engine.md`.
"""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifier.inference.decision import Decision, decide
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.openvino import DISTRIBUTION, compile_graph, run
from classifier.inference.preprocessing import Float32Array
from classifier.inference.refusal import Refusal
from classifier.inference.registry import ModelCard

__all__ = ["DISTRIBUTION", "GRAPH_OF", "OpenVinoBf16Engine", "is_computed_here", "is_doubtful"]

GRAPH_OF = "openvino"
"""It runs the same graph; only the kernels are others."""
CPU_FLAGS = Path("/proc/cpuinfo")
NEEDED_FLAGS = {"avx512_bf16", "amx_bf16"}
LOGIT_ERROR = 0.4
"""A logit is off by less: 0.28 was the most in 1,379 images (`bench/results/openvino_variants.json`)."""
SCORE_ERROR = 0.03
"""A refusal score is off by less: 0.024 was the most in the same images."""


class OpenVinoBf16Engine:
    """Runs an exported graph in bfloat16, and close decisions again in float32."""

    name = "openvino_bf16"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Reads the graph and makes both sets of kernels.

        Args:
            card: The model's card.
            folder: What `openvino.write` filled.

        Raises:
            ModelError: If the feature bank that the card names cannot be used.
        """
        self.card = card
        self._refusal = None if card.refusal is None else Refusal.load(card.refusal)
        self._rounded = compile_graph(card, folder, precision="bf16")
        self._exact = compile_graph(card, folder)

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Runs the network; see `Engine.predict`."""
        output = run(self._rounded, batch)
        again = is_doubtful(output, self.card, refusal=self._refusal)
        if again.any():
            for rounded, exact in zip(output, run(self._exact, batch[again]), strict=True):
                rounded[again] = exact
        return output


def is_computed_here() -> bool:
    """Whether the processor computes in bfloat16; others would only imitate it. Linux only."""
    try:
        text = CPU_FLAGS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(line.startswith("flags") and NEEDED_FLAGS & set(line.split()) for line in text.splitlines())


def is_doubtful(output: EngineOutput, card: ModelCard, *, refusal: Refusal | None) -> npt.NDArray[np.bool_]:
    """Tells the images whose outcome, likeliest finding or possible findings a rounding error could change.

    Args:
        output: Of N images.
        card: Temperature and thresholds.
        refusal: Tells other images apart; None if the model cannot.

    Returns:
        bool `(N,)`.
    """
    doubtful = np.array([_could_say_otherwise(logits, card) for logits in output.logits], bool)
    if refusal is not None:
        scores = refusal.score(output.features)
        doubtful |= np.abs(scores - refusal.threshold) <= SCORE_ERROR
    return doubtful


def _could_say_otherwise(logits: Float32Array, card: ModelCard) -> bool:
    """Whether the decision on a brain MR image could be another, with each logit anywhere within the error.

    A probability is largest where its own logit is highest and all others lowest, and the other way round, and so is
    the lead of one logit over another. So no decision is crossed between the corners that is not crossed at one.
    """
    said = _said(decide(logits, logits, card))
    corners = itertools.product((-LOGIT_ERROR, LOGIT_ERROR), repeat=len(logits))
    return any(_said(decide(logits + np.array(corner, np.float32), logits, card)) != said for corner in corners)


def _said(decision: Decision) -> tuple[str, int, frozenset[str]]:
    return decision.outcome, int(np.argmax(decision.probabilities or ())), frozenset(decision.possible)
