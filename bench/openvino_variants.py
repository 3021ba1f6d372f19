"""Speed and accuracy of the OpenVINO engine with fewer bits and larger batches.

`python -m bench.openvino_variants --data DIR` prints a table and writes `bench/results/openvino_variants.json`. The
8-bit variant needs the package `nncf` in the environment that runs this (OpenVINO, NumPy, Pillow and nncf are enough
if the graph has been exported before); without it the others are measured. Behind `docs/decisions/0004-cpu-engine.md`.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.machine import RESULTS, describe_machine, write_result
from classifier.findings import FINDINGS
from classifier.inference.appearance import appearance_statistics
from classifier.inference.engines.base import EngineOutput, thread_count
from classifier.inference.engines.export import prepare
from classifier.inference.engines.openvino import GRAPH, import_openvino
from classifier.inference.ood import LIMIT, OodDetector
from classifier.inference.preprocessing import Float32Array, Preprocessing, to_input
from classifier.inference.registry import ModelCard, load_card
from classifier.training import metrics
from classifier.training.hospitals import read_data
from classifier.training.images import ImageSet, load_images
from classifier.training.protocols import make_split

ROOT = Path(__file__).parents[1]
PACKAGES = ("openvino", "nncf", "numpy")
PROTOCOL = "patient"
CALIBRATION_IMAGES = 300
"""The setting that nncf's documentation advises, and its default."""
REFERENCE = "float32"
ROUNDS = 15
BATCHES = 8


class Variant:
    """One way to run the graph; `images` of a batch go through at once."""

    def __init__(self, model: Any, *, images: int = 1, precision: str = "f32") -> None:
        openvino = import_openvino()
        model = model.clone()
        shape = model.input().partial_shape
        model.reshape([images, *(dimension.get_length() for dimension in list(shape)[1:])])
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": thread_count(),
            "INFERENCE_PRECISION_HINT": precision,
        }
        self.images = images
        self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, batch: Float32Array) -> EngineOutput:
        """Run exactly `images` images."""
        result = self._request.infer([batch], share_inputs=True)
        return EngineOutput(*(result[name] for name in EngineOutput._fields))


def inputs(images: ImageSet, *, size: int, parameters: Preprocessing) -> Iterator[Float32Array]:
    """Return all images one at a time, because what fewer bits do is seen in few of them; of larger batches, a few."""
    end = len(images) if size == 1 else BATCHES * size
    for start in range(0, end - size + 1, size):
        yield to_input(images.pixels[start : start + size], parameters=parameters)


def quantized(model: Any, images: ImageSet, *, parameters: Preprocessing) -> Any:
    """Return the graph with 8-bit weights and activations, their ranges fitted on training images."""
    import nncf

    pixels = [images.pixels[index : index + 1] for index in range(len(images))]
    data = nncf.Dataset(pixels, lambda item: to_input(item, parameters=parameters))
    return nncf.quantize(model, data, subset_size=len(images), preset=nncf.QuantizationPreset.MIXED)


def half_weights(model: Any) -> Any:
    """Return the graph with its weights stored as float16."""
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / GRAPH
        openvino.save_model(model, path, compress_to_fp16=True)
        return openvino.Core().read_model(path).clone()


def variants(model: Any, calibration: ImageSet, *, parameters: Preprocessing) -> dict[str, Variant]:
    """All variants that can be measured on this machine, the shipped one first."""
    flags = describe_machine(())["flags"]
    assert isinstance(flags, list)
    found = {
        REFERENCE: Variant(model),
        "float32, batch 8": Variant(model, images=8),
        "float16 weights": Variant(half_weights(model)),
    }
    if {"avx512_bf16", "amx_bf16"} & set(flags):
        found["bfloat16"] = Variant(model, precision="bf16")
    if importlib.util.find_spec("nncf"):
        model.reshape([1, *(dimension.get_length() for dimension in list(model.input().partial_shape)[1:])])
        found["int8"] = Variant(quantized(model, calibration, parameters=parameters))
    return found


def milliseconds(runs: dict[str, Variant], batch: Float32Array) -> dict[str, dict[str, float]]:
    """Time an image of every variant, in rounds that take turns, so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started = time.perf_counter()
            run(batch[: run.images])
            times[name].append((time.perf_counter() - started) * 1000 / run.images)
    base = statistics.median(times[REFERENCE])
    return {
        name: {"median": round(statistics.median(values), 1), "ratio": round(statistics.median(values) / base, 3)}
        for name, values in times.items()
    }


def outputs(run: Variant, images: ImageSet, *, parameters: Preprocessing) -> EngineOutput:
    """Return what a variant says of all images."""
    parts = [run(batch) for batch in inputs(images, size=run.images, parameters=parameters)]
    return EngineOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def compare(
    output: EngineOutput,
    reference: EngineOutput,
    *,
    labels: npt.NDArray[Any],
    appearance: Float32Array,
    card: ModelCard,
) -> dict[str, Any]:
    """Return the scores of a variant and its difference from float32, over the images that it has run."""
    count = len(output.logits)
    p = card.calibration.probabilities(output.logits)
    told = card.calibration.probabilities(reference.logits[:count])
    change = np.abs(output.logits - reference.logits[:count])
    scores = {
        "images": count,
        "accuracy": metrics.accuracy(p, labels[:count]),
        "ece": metrics.ece(p, labels[:count]),
        "nll": metrics.nll(p, labels[:count]),
        "label_agreement": float((p.argmax(axis=1) == told.argmax(axis=1)).mean()),
        "largest_change_of_a_logit": float(change.max()),
        "mean_change_of_a_logit": float(change.mean()),
        "mean_change_of_a_probability": float(np.abs(p - told).mean()),
        "mean_change_of_a_class_map": float(np.abs(output.class_maps - reference.class_maps[:count]).mean()),
    }
    if card.ood is not None:
        refusal = OodDetector.load(card.ood)
        refused = refusal.score(output.features, appearance[:count]) > LIMIT
        told_refused = refusal.score(reference.features[:count], appearance[:count]) > LIMIT
        scores["refusal_agreement"] = float((refused == told_refused).mean())
    return {name: round(value, 6) for name, value in scores.items()}


def run(folder: Path, *, data: Path, exports: Path, limit: int | None, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything and return what is written to the results file."""
    card = load_card(folder)
    split = make_split(read_data(data), protocol=PROTOCOL)
    size = card.preprocessing.size
    test = load_images(split.test[:limit], size=size)
    chosen = np.random.default_rng(0).choice(len(split.train), CALIBRATION_IMAGES, replace=False)
    calibration = load_images([split.train[index] for index in sorted(chosen)], size=size)
    labels = np.array([FINDINGS.index(row.true_label) for row in test.rows])
    model = import_openvino().Core().read_model(prepare(card, engine="openvino", exports=exports) / GRAPH)
    runs = variants(model, calibration, parameters=card.preprocessing)
    batch = to_input(test.pixels[:8], parameters=card.preprocessing)
    for variant in runs.values():
        variant(batch[: variant.images])
    times = milliseconds(runs, batch)
    appearance = np.concatenate(
        [
            appearance_statistics(part, parameters=card.preprocessing)
            for part in inputs(test, size=64, parameters=card.preprocessing)
        ]
    )
    reference = outputs(runs[REFERENCE], test, parameters=card.preprocessing)
    rows = {}
    for name, variant in runs.items():
        output = reference if name == REFERENCE else outputs(variant, test, parameters=card.preprocessing)
        rows[name] = {"milliseconds": times[name]} | compare(
            output, reference, labels=labels, appearance=appearance, card=card
        )
        tell(f"{name:<18} {rows[name]}")
    return {
        "model": f"{card.name} {card.version}",
        "weights_sha256": card.weights.sha256,
        "protocol": PROTOCOL,
        "calibration_images": CALIBRATION_IMAGES,
        "rounds": ROUNDS,
        "variants": rows,
    }


def main() -> None:
    """Run the benchmark, print it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "xception", metavar="DIR")
    parser.add_argument("--exports", type=Path, default=ROOT / "var" / "exports", metavar="DIR")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N test images only")
    parser.add_argument("--output", type=Path, default=RESULTS / "openvino_variants.json", metavar="FILE")
    options = parser.parse_args()
    content = run(options.model, data=options.data, exports=options.exports, limit=options.limit, tell=print)
    write_result(options.output, content=content, packages=PACKAGES)


if __name__ == "__main__":
    main()
