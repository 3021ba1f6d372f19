"""Image and result handling shared by both peers, so that only the server differs."""

from typing import BinaryIO

import numpy as np
from PIL import Image

from bench.installation import EXPORTS, MODEL
from classifier.findings import FINDINGS
from classifier.inference.analyzer import AnalysisResult, Analyzer
from classifier.inference.preprocessing import UInt8Array

# The default of BrainScan's `BATCH_SIZE`.
BATCH_SIZE = 4
# How long an image may wait for others. A processor gains nothing from a batch, so a long wait would only cost.
BATCH_SECONDS = 0.005
# Where both take images, in a form's field `image`.
PATH = "/predict"


def load() -> Analyzer:
    """Return the shipped model, on the engine that BrainScan's worker uses here, with as many threads."""
    return Analyzer.from_folder(MODEL, exports=EXPORTS)


def pixels_of(file: BinaryIO) -> UInt8Array:
    """Decode an image without any of BrainScan's checks: uint8 `(H, W)`."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"))


def answer(result: AnalysisResult) -> dict[str, object]:
    """Return what is sent back."""
    decision = result.decision
    shares = None if decision.probabilities is None else dict(zip(FINDINGS, decision.probabilities, strict=True))
    return {"outcome": str(decision.outcome), "finding": decision.finding, "probabilities": shares}
