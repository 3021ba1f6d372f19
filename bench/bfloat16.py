"""Whether `openvino_bf16` says what `openvino` says.

`python -m bench.bfloat16 --data DIR` compares both on three sets of images and writes `bench/results/bfloat16.json`:
the test images of the protocol `patient`, which the margins were chosen on; mirror images of training images and of
the tumors of other scanners, which had a part in the choice; and further training images changed at random, which
had none (`docs/decisions/0004-cpu-engine.md`).
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import RESULTS, write_result
from classifier.inference.appearance import appearance_statistics
from classifier.inference.decision import decide
from classifier.inference.engines import Engine, load_engine
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.openvino_bf16 import OpenVinoBf16Engine
from classifier.inference.ood import OodDetector
from classifier.inference.preprocessing import Float32Array, to_input
from classifier.inference.registry import ModelCard
from classifier.inference.second_look import PROBABILITY_ERROR, is_doubtful
from classifier.training.augment import Augmentation
from classifier.training.hospitals import read_data
from classifier.training.images import ImageSet, load_images
from classifier.training.protocols import make_split

ROOT = Path(__file__).parents[1]
PACKAGES = ("openvino", "numpy")
PROTOCOL = "patient"
IMAGES = 1400
CHANGE_SEED = 20261123


def parts(data: Path, *, size: int, count: int) -> dict[str, ImageSet]:
    """Test images, mirrored ones of training and of the other scanners, and further ones of training, changed."""
    split = make_split(read_data(data), protocol=PROTOCOL)
    rows = [*split.train, *split.validation]
    partial = [row for row in (*rows, *split.extra_test) if row.partial]
    whole = [row for row in rows if not row.partial]
    chosen = np.random.default_rng(1).choice(len(whole), min(count, len(whole)), replace=False)
    others = [*partial, *(whole[index] for index in sorted(chosen))]
    other_images = load_images(others, size=size)
    left = np.delete(np.arange(len(whole)), chosen)[:count]
    return {
        "chosen_on": load_images(split.test[:count], size=size),
        "others": replace(other_images, pixels=other_images.pixels[:, :, ::-1]),
        "changed": changed(load_images([whole[index] for index in left], size=size), size=size),
    }


def changed(images: ImageSet, *, size: int) -> ImageSet:
    """Images as training changes them: position, contrast, sharpness, noise, compression."""
    augmentation, rng = Augmentation(), np.random.default_rng(CHANGE_SEED)
    return replace(images, pixels=np.stack([augmentation(each, size=size, rng=rng)[0] for each in images.pixels]))


def said(
    output: EngineOutput, card: ModelCard, *, detector: OodDetector | None, appearance: Float32Array
) -> tuple[Any, ...]:
    """Return all words that a person would read about an image."""
    score = None if detector is None else float(detector.score(output.features, appearance)[0])
    decision = decide(output.logits[0], card, ood_score=score)
    return decision.outcome, decision.finding, int(output.logits[0].argmax()), frozenset(decision.possible)


def percents(output: EngineOutput, card: ModelCard) -> Any:
    """Return the displayed percentages, before what keeps them from 100."""
    return np.rint(100 * card.calibration.probabilities(output.logits)).astype(int)


def compare(
    images: ImageSet, *, exact: Engine, rounding: OpenVinoBf16Engine, detector: OodDetector | None
) -> dict[str, float | int]:
    """Return how far bfloat16 differs on images, and how often that would be, and is, visible."""
    card = exact.card
    changes, leads, scores, points, exact_times, rounded_times = [], [], [], [], [], []
    twice = same_rounded = same = 0
    for number, pixels in enumerate(images.pixels):
        batch = to_input(pixels[None], parameters=card.preprocessing)
        appearance = appearance_statistics(batch, parameters=card.preprocessing)
        began = time.perf_counter()
        told = exact.predict(batch)
        middle = time.perf_counter()
        fast = rounding.predict(batch)
        rounded_times.append(time.perf_counter() - middle)
        exact_times.append(middle - began)
        change = fast.logits[0] - told.logits[0]
        changes.append(np.abs(change).max())
        leads.append(np.ptp(change))
        if detector is not None:
            distances = [detector.score(output.features, appearance)[0] for output in (fast, told)]
            scores.append(abs(distances[0] - distances[1]))
        words = [said(output, card, detector=detector, appearance=appearance) for output in (fast, told)]
        agrees = words[0] == words[1]
        looked_at_again = bool(is_doubtful(fast, card, detector=detector, appearance=appearance)[0])
        twice += looked_at_again
        same_rounded += agrees
        same += agrees or looked_at_again
        # An image that is computed again shows the percentages of float32.
        points.append(0 if looked_at_again else np.abs(percents(fast, card) - percents(told, card)).max())
        if number % 200 == 0:
            print(f"{number}/{len(images)}: {same} say the same, {twice} run twice, lead {max(leads):.3f}", flush=True)
    figures = {
        "largest_change_of_a_logit": max(changes),
        "largest_change_of_a_lead": max(leads),
        "largest_change_of_a_refusal_score": max(scores, default=0.0),
        "says_the_same": same / len(images),
        "would_say_the_same_without_a_second_look": same_rounded / len(images),
        "run_twice": twice / len(images),
        "all_percentages_alike": float(np.mean(np.array(points) == 0)),
        "largest_difference_of_a_percentage": max(points),
        "float32_milliseconds": 1000 * float(np.median(exact_times)),
        "bfloat16_milliseconds": 1000 * float(np.median(rounded_times)),
    }
    figures["mean_milliseconds"] = (
        figures["bfloat16_milliseconds"] + figures["run_twice"] * figures["float32_milliseconds"]
    )
    counts = {"images": len(images), "tumors_of_other_scanners": sum(row.partial for row in images.rows)}
    return counts | {name: round(float(value), 5) for name, value in figures.items()}


def run(folder: Path, *, data: Path, exports: Path, count: int) -> dict[str, Any]:
    """Compare and return what is written to the results file."""
    exact = load_engine(folder, engine="openvino", exports=exports)
    rounding = load_engine(folder, engine="openvino_bf16", exports=exports)
    assert isinstance(rounding, OpenVinoBf16Engine)
    card = exact.card
    detector = None if card.ood is None else OodDetector.load(card.ood)
    return {
        "model": f"{card.name} {card.version}",
        "weights_sha256": card.weights.sha256,
        "margins": {
            "lead": card.rounding.lead,
            "refusal_score": card.rounding.score,
            "probability": PROBABILITY_ERROR,
        },
        "parts": {
            name: compare(images, exact=exact, rounding=rounding, detector=detector)
            for name, images in parts(data, size=card.preprocessing.size, count=count).items()
        },
    }


def main() -> None:
    """Run the comparison, print it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "xception", metavar="DIR")
    parser.add_argument("--exports", type=Path, default=ROOT / "var" / "exports", metavar="DIR")
    parser.add_argument(
        "--images", type=int, default=IMAGES, metavar="N", help="images of each part (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "bfloat16.json", metavar="FILE")
    options = parser.parse_args()
    content = run(options.model, data=options.data, exports=options.exports, count=options.images)
    print(content)
    write_result(options.output, content=content, packages=PACKAGES)


if __name__ == "__main__":
    main()
