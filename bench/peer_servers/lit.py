"""LitServe: `python -m bench.peer_servers.lit PORT`.

Its batching is on. One process reads requests, another decodes images and runs the model.
"""

import sys
from typing import Any

import litserve
from fastapi import Request

from bench.peer_servers.reading import BATCH_SECONDS, BATCH_SIZE, PATH, answer, load, pixels_of
from classifier.inference.analyzer import AnalysisResult, Analyzer
from classifier.inference.preprocessing import UInt8Array


class ModelAPI(litserve.LitAPI):
    """The model as LitServe wants it."""

    analyzer: Analyzer

    def setup(self, device: str) -> None:
        """Load the model, in the process that runs it."""
        self.analyzer = load()

    def decode_request(self, request: Request, **_: Any) -> UInt8Array:
        """Decode one image."""
        return pixels_of(request["image"].file)

    def batch(self, inputs: list[UInt8Array]) -> list[UInt8Array]:
        """Images of different sizes stay a list."""
        return list(inputs)

    def predict(self, x: list[UInt8Array], **_: Any) -> list[AnalysisResult]:
        """Return one batch."""
        return self.analyzer.analyze(x)

    def unbatch(self, output: list[AnalysisResult]) -> list[AnalysisResult]:
        """Return one result each."""
        return output

    def encode_response(self, output: AnalysisResult, **_: Any) -> dict[str, object]:
        """Return one answer."""
        return answer(output)


if __name__ == "__main__":
    api = ModelAPI(max_batch_size=BATCH_SIZE, batch_timeout=BATCH_SECONDS, api_path=PATH)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
