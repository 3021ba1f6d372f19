"""Speed, memory, and agreement with Keras of each engine.

`python -m bench.engines` prints tables and writes `bench/results/engines.json`, for another `--model` a file with its
name, from which the page of the models takes time and memory of the same weights; `--data DIR` compares outputs on all
test images of the protocol `patient` instead of the samples and their variations. Engines take turns in every round,
so that other load on the machine affects all of them alike. See the machine's description beside the figures.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.engine_process import BASE, REFERENCE, EngineProcess
from bench.engines_measured import prepare_model, runnable_engines
from bench.machine import RESULTS, describe_machine, write_result
from brainscan.processes.programs import worker as worker_program
from classifier.inference.appearance import appearance_statistics
from classifier.inference.architectures import ENSEMBLE
from classifier.inference.decision import decide
from classifier.inference.engines import gpu_usable, thread_count
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.ensemble import read_members
from classifier.inference.ood import OodDetector
from classifier.inference.preprocessing import Float32Array, UInt8Array, resize, to_input
from classifier.inference.registry import ModelCard, load_card

ROOT = Path(__file__).parents[1]
PACKAGES = ("tensorflow-cpu", "keras", "openvino", "onnxruntime", "ai-edge-litert", "numpy")
DEFAULT_MODEL = "xception"
ROUNDS = {1: 40, 4: 16, 8: 10, 32: 6}
"""Rounds by batch size: a large batch takes as long as many small ones, and varies less."""
PROTOCOL = "patient"
TARGET = 0.40
"""Largest share of the time of Keras' `predict` that a whole analysis may take at batch 1."""


def sample_images(size: int) -> tuple[UInt8Array, str]:
    """Return the samples as they are, mirrored, turned, darker, brighter, cropped and noisy: 12 x 8 images."""
    paths = sorted((ROOT / "samples").glob("*.jpg"))
    noise = np.random.default_rng(0)
    images = []
    for path in paths:
        picture = Image.open(path).convert("L")
        pixels = resize(np.asarray(picture), size=size)
        turned = [np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR)) for angle in (-12, 12)]
        scaled = [np.clip(pixels * factor, 0, 255).astype(np.uint8) for factor in (0.7, 1.3)]
        cropped = resize(pixels[size // 12 : -size // 12, size // 12 : -size // 12], size=size)
        noisy = np.clip(pixels + noise.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)
        images += [pixels, pixels[:, ::-1], *turned, *scaled, cropped, noisy]
    return np.stack(images), f"{len(paths)} samples, each in {len(images) // len(paths)} variations"


def test_images(data: Path, size: int) -> tuple[UInt8Array, str]:
    """Return all test images of the protocol, and how to call them."""
    from classifier.training.hospitals import read_data
    from classifier.training.images import load_images
    from classifier.training.protocols import make_split

    found = load_images(make_split(read_data(data), protocol=PROTOCOL).test, size=size)
    return found.pixels, f"all {len(found)} test images of the protocol {PROTOCOL}"


def spread(times: list[float]) -> dict[str, float]:
    """Mean, median and quarter points, rounded to 0.1. The mean includes images that are computed a second time."""
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    values = {"mean": statistics.fmean(times), "median": middle, "low": low, "high": high}
    return {name: round(value, 1) for name, value in values.items()}


def beside(times: list[float], base: list[float]) -> dict[str, float]:
    """`spread`, and the mean's ratio to that of the times in `base`."""
    return spread(times) | {"ratio": round(statistics.fmean(times) / statistics.fmean(base), 3)}


def time_network(processes: list[EngineProcess], *, rounds: dict[int, int]) -> dict[str, dict[str, Any]]:
    """Milliseconds an image by engine and batch, and their ratio to `BASE` at the same batch."""
    found: dict[str, dict[str, Any]] = {process.name: {} for process in processes}
    for batch, turns in rounds.items():
        times: dict[str, list[float]] = {process.name: [] for process in processes}
        for turn in range(turns + 1):
            for process in processes:
                milliseconds = process.network(batch, turn=turn) / batch
                if turn:  # The first turn traces and compiles for this batch size.
                    times[process.name].append(milliseconds)
        for name, values in times.items():
            found[name][str(batch)] = beside(values, times[BASE])
            print(f"{name:<14} batch {batch:>2}: {found[name][str(batch)]}", flush=True)
    return found


def time_analysis(processes: list[EngineProcess], *, rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of a whole analysis, and their ratio to `BASE`, which runs the bare network in the same rounds."""
    times: dict[str, list[float]] = {process.name: [] for process in processes}
    for turn in range(rounds):
        for process in processes:
            is_base = process.name == BASE
            times[process.name].append(process.network(1, turn=turn) if is_base else process.analyze(turn))
    return {name: beside(values, times[BASE]) for name, values in times.items()}


def time_calls(process: EngineProcess, *, calls: int) -> dict[str, float]:
    """Milliseconds of the first analysis after the engine was loaded, of the last, and the median of all."""
    times = [process.analyze(index) for index in range(calls)]
    return {"calls": calls, "first": round(times[0], 1), "last": round(times[-1], 1)} | spread(times)


def agreement(
    output: EngineOutput, reference: EngineOutput, card: ModelCard, *, appearance: Float32Array
) -> dict[str, float]:
    """Return how far an engine's outputs are from the reference's, and how often both say the same."""
    found: dict[str, float] = {"images": len(output.logits)}
    for name in EngineOutput._fields:
        change = np.abs(getattr(output, name) - getattr(reference, name))
        found[f"{name}_largest"], found[f"{name}_mean"] = float(change.max()), float(change.mean())
    found["labels_agree"] = float((output.logits.argmax(1) == reference.logits.argmax(1)).mean())
    same = np.array(outcomes(output, card, appearance)) == np.array(outcomes(reference, card, appearance))
    found["decisions_agree"] = float(same.mean())
    return {name: float(f"{value:.3g}") if value < 1 else value for name, value in found.items()}


def outcomes(output: EngineOutput, card: ModelCard, appearance: Float32Array) -> npt.NDArray[Any]:
    """Return what a person would read of each image: outcome and finding."""
    refusal = None if card.ood is None else OodDetector.load(card.ood)
    scores = [None] * len(output.logits) if refusal is None else refusal.score(output.features, appearance)
    decisions = [
        decide(logits, card, ood_score=None if score is None else float(score))
        for logits, score in zip(output.logits, scores, strict=True)
    ]
    return np.array([f"{decision.outcome} {decision.finding}" for decision in decisions])


def run(folder: Path, *, exports: Path, data: Path | None, quick: bool, earlier: dict[str, Any]) -> dict[str, Any]:
    """Measure everything and return what is written to the results file.

    Args:
        folder: `models/<name>`.
        exports: Where exported graphs are kept.
        data: Folder with manifest.csv, or None.
        quick: Whether to see that it runs only.
        earlier: An earlier result whose agreements are taken over, or {} to compare outputs.
    """
    card = load_card(folder)
    size = card.preprocessing.size
    pixels, images = sample_images(size) if data is None else test_images(data, size)
    names = runnable_engines()
    for name in names:
        prepare_model(folder, engine=name, exports=exports, announce=lambda: print("Converting ...", flush=True))
    rounds, calls = (dict.fromkeys(ROUNDS, 2), 5) if quick else (ROUNDS, 100)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "pixels.npy"
        np.save(path, pixels)
        processes = [EngineProcess(name, folder=folder, exports=exports, pixels=path) for name in (BASE, *names)]
        engines = processes[1:]
        rows: dict[str, dict[str, Any]] = {process.name: {} for process in processes}
        for process in engines:
            rows[process.name] |= {"memory_loaded": process.memory(), "calls": time_calls(process, calls=calls)}
        whole = time_analysis(processes, rounds=rounds[1])
        network = time_network(processes, rounds=rounds)
        for process in processes:
            name = process.name
            rows[name] |= {"load_seconds": round(process.load_seconds, 2), "network": network[name]}
            rows[name] |= {"memory_after": process.memory(), "analysis": whole[name]}
        if earlier:
            images = earlier["images_compared"]
            for process in engines:
                rows[process.name]["agreement"] = earlier["engines"][process.name]["agreement"]
        else:
            # The appearance is the same for all engines.
            inputs = to_input(pixels, parameters=card.preprocessing)
            appearance = appearance_statistics(inputs, parameters=card.preprocessing)
            reference = next(process for process in engines if process.name == REFERENCE).outputs()
            for process in engines:
                output = reference if process.name == REFERENCE else process.outputs()
                rows[process.name]["agreement"] = agreement(output, reference, card, appearance=appearance)
        for process in processes:
            process.stop()
    return {
        "model": f"{card.name} {card.version}",
        "weights_sha256": card.weights.sha256,
        **member_weights(card),
        "threads": thread_count(),
        "gpu": gpu_usable(),
        "rounds": rounds,
        "base": f"{BASE}: the bare network; every ratio is to its time in the same rounds at the same batch",
        "images_compared": images,
        "target_ratio_of_an_analysis": TARGET,
        "engines": rows,
    }


def member_weights(card: ModelCard) -> dict[str, list[str]]:
    """Return the digests of an ensemble's networks, by which its times are found; empty for a single network."""
    if card.network != ENSEMBLE:
        return {}
    return {"member_weights_sha256": [member.weights_sha256 for member in read_members(card.weights.path)]}


def result_path(card: ModelCard) -> Path:
    """Return the file of a model's result: `engines.json`, which `docs/performance.md` shows, for the default model."""
    return RESULTS / ("engines.json" if card.name == DEFAULT_MODEL else f"engines-{card.name}.json")


def earlier_result(card: ModelCard) -> dict[str, Any]:
    """Return the last result, if it is of the same weights and the same libraries.

    Raises:
        SystemExit: If there is none, or it is not: outputs have to be compared again.
    """
    path = result_path(card)
    if not path.is_file():
        raise SystemExit(f"There is no earlier result {path.name}. Run without --times.")
    earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    versions = describe_machine(PACKAGES)["versions"]
    if (earlier["weights_sha256"], earlier["machine"]["versions"]) != (card.weights.sha256, versions):
        raise SystemExit("The last result is of other weights or libraries. Run without --times.")
    return earlier


def print_tables(result: dict[str, Any]) -> None:
    """Print what matters, an engine a line."""
    rows = result["engines"]
    print("\nMilliseconds an image, network only (ratio to Keras' predict), and the whole analysis at batch 1:")
    print(f"{'engine':<14}" + "".join(f"{f'batch {batch}':>17}" for batch in ROUNDS) + f"{'analysis':>17}")
    for name, row in rows.items():
        cells = [row["network"][str(batch)] for batch in ROUNDS] + [row["analysis"]]
        print(f"{name:<14}" + "".join(f"{cell['mean']:>9.1f} ({cell['ratio']:.3f})" for cell in cells))
    print(f"\nMemory in MiB, seconds to load, milliseconds of calls; compared on {result['images_compared']}:")
    print(
        f"{'engine':<14}{'loaded':>8}{'after':>8}{'peak':>8}{'seconds':>9}{'first':>8}{'last':>8}"
        f"{'logits':>10}{'features':>10}{'maps':>10}{'labels':>9}{'decisions':>10}"
    )
    for name, row in rows.items():
        if name == BASE:
            continue
        calls, same = row["calls"], row["agreement"]
        print(
            f"{name:<14}{row['memory_loaded']['resident']:>8.0f}{row['memory_after']['resident']:>8.0f}"
            f"{row['memory_after']['peak']:>8.0f}{row['load_seconds']:>9.2f}{calls['first']:>8.1f}{calls['last']:>8.1f}"
            f"{same['logits_largest']:>10.2g}{same['features_largest']:>10.2g}{same['class_maps_largest']:>10.2g}"
            f"{same['labels_agree']:>9.2%}{same['decisions_agree']:>10.2%}"
        )


def main() -> None:
    """Run the benchmark, print it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs; writes nothing")
    parser.add_argument("--times", action="store_true", help="measure times anew, keep how far outputs agreed")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / DEFAULT_MODEL, metavar="DIR")
    parser.add_argument("--exports", type=Path, default=ROOT / "var" / "exports", metavar="DIR")
    options = parser.parse_args()
    # As the worker runs, in every process that is started here.
    os.environ |= worker_program().environment
    earlier = earlier_result(load_card(options.model)) if options.times else {}
    result = run(options.model, exports=options.exports, data=options.data, quick=options.quick, earlier=earlier)
    print_tables(result)
    if not options.quick:
        write_result(result_path(load_card(options.model)), content=result, packages=PACKAGES)


if __name__ == "__main__":
    main()
