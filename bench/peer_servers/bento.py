"""BentoML: `bentoml serve bench.peer_servers.bento:Classifier --port PORT`. Its adaptive batching is on."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image

from bench.peer_servers.reading import BATCH_SIZE, PATH, answer, load


@bentoml.service(workers=1, traffic={"timeout": 120})
class Classifier:
    """The model as BentoML wants it."""

    def __init__(self) -> None:
        """Load the model."""
        self.analyzer = load()

    # The server adapts its batching window itself; images wait without limit, as in the other servers.
    @bentoml.api(batchable=True, max_batch_size=BATCH_SIZE, max_latency_ms=120_000, route=PATH)
    def predict(self, image: list[Image]) -> list[dict[str, Any]]:
        """Return one batch."""
        return [answer(result) for result in self.analyzer.analyze([np.asarray(one.convert("L")) for one in image])]
