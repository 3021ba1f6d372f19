"""OpenVINO in bfloat16, on processors that compute in it; in float32 wherever the rounding could be seen.

bfloat16 keeps 8 bits of a number's fraction instead of 24. That halves the time and moves a logit by a few hundredths,
which matters only where a decision is close. Those images are run once more in float32, so that what is said is what
the float32 engine says; how far that was measured is in `docs/decisions/0004-cpu-engine.md`.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifier.inference.decision import Decision, decide
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.openvino import DISTRIBUTION, compile_graph, run
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard

__all__ = ["DISTRIBUTION", "GRAPH_OF", "OpenVinoBf16Engine", "is_computed_here", "is_doubtful"]

GRAPH_OF = "openvino"
"""It runs the same graph; only the kernels are others."""
CPU_FLAGS = Path("/proc/cpuinfo")
NEEDED_FLAGS = {"avx512_bf16", "amx_bf16"}
LEAD_ERROR = 0.65
"""The lead of one logit over another is off by less: 0.53 was the most in 1,379 test images."""
SCORE_ERROR = 0.075
"""An out-of-distribution score is off by less: 0.05 was the most in the same images. See
`bench/results/bfloat16.json`, and `docs/decisions/0004-cpu-engine.md` for what each margin was chosen on."""
PROBABILITY_ERROR = 0.05
"""What is said of a probability may be off by this much where nothing else depends on it."""


class OpenVinoBf16Engine:
    """Runs an exported graph in bfloat16, and close decisions again in float32."""

    name = "openvino_bf16"

    def __init__(self, card: ModelCard, folder: Path) -> None:
        """Read the graph and make both sets of kernels.

        Args:
            card: The model's card.
            folder: What `openvino.write` filled.

        Raises:
            ModelError: If the statistics that the card names cannot be used.
        """
        self.card = card
        self._detector = None if card.ood is None else OodDetector.load(card.ood)
        self._rounded = compile_graph(card, folder, precision="bf16")
        self._exact = compile_graph(card, folder)

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run the network; see `Engine.predict`."""
        output = self.predict_rounded(batch)
        again = is_doubtful(output, self.card, detector=self._detector)
        if again.any():
            for rounded, exact in zip(output, run(self._exact, batch[again]), strict=True):
                rounded[again] = exact
        return output

    def predict_rounded(self, batch: Float32Array) -> EngineOutput:
        """Run the network in bfloat16 alone, for measuring what that changes; see `Engine.predict`."""
        return run(self._rounded, batch)


def is_computed_here() -> bool:
    """Return whether the processor computes in bfloat16; others would only imitate it. Linux only."""
    try:
        text = CPU_FLAGS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(line.startswith("flags") and NEEDED_FLAGS & set(line.split()) for line in text.splitlines())


def is_doubtful(output: EngineOutput, card: ModelCard, *, detector: OodDetector | None) -> npt.NDArray[np.bool_]:
    """Find the images for which a rounding error could change the answer.

    That is the outcome, the likeliest finding, the possible findings, or a probability by `PROBABILITY_ERROR`.

    Args:
        output: Of N images.
        card: Temperature and thresholds.
        detector: Detects images that are not brain MR; None if the model cannot.

    Returns:
        bool `(N,)`.
    """
    doubtful = np.array([_could_say_otherwise(logits, card) for logits in output.logits], bool)
    if detector is not None:
        doubtful |= np.abs(detector.feature_score(output.features) - LIMIT) <= SCORE_ERROR
    return doubtful


def _could_say_otherwise(logits: Float32Array, card: ModelCard) -> bool:
    """Return whether something else could be said of a brain MR image, with each lead anywhere within the error.

    Probabilities depend on the leads of logits over each other alone. All leads of one logit at their lower ends
    make its probability smallest, at their upper ends largest; so to move each logit by the error, down and up,
    reaches the ends of every probability and of every lead at once.
    """
    told = decide(logits, card)
    moves = np.concatenate([np.eye(len(logits)), -np.eye(len(logits))]).astype(np.float32) * LEAD_ERROR
    return any(_differs(decide(logits + move, card), told) for move in moves)


def _differs(one: Decision, other: Decision) -> bool:
    p, q = np.array(one.probabilities), np.array(other.probabilities)
    return (
        (one.outcome, one.finding) != (other.outcome, other.finding)
        or p.argmax() != q.argmax()
        or set(one.possible) != set(other.possible)
        or bool(np.abs(p - q).max() > PROBABILITY_ERROR)
    )
