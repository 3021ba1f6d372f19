"""Gain from averaging a network's answers over changed copies of an image, on validation images.

`python -m bench.test_time_averaging --data DIR` prints a table and writes `docs/decisions/0005/averaging.json`:
accuracy and calibration on the validation part of the protocol `patient` for each copy alone and for averages of their
logits.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.machine import write_result
from classifier.inference.calibration import Calibration
from classifier.inference.engines import Engine, load_engine
from classifier.inference.preprocessing import Float32Array, UInt8Array, to_input
from classifier.training import metrics
from classifier.training.fitting import fit_calibration
from classifier.training.hospitals import read_data
from classifier.training.images import ImageSet, load_images
from classifier.training.outputs import Outputs
from classifier.training.protocols import make_split

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "docs" / "decisions" / "0005" / "averaging.json"
PACKAGES = ("openvino", "numpy")


def turned(pixels: UInt8Array, degrees: float) -> UInt8Array:
    """Return the image turned about its middle."""
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR))


def scaled(pixels: UInt8Array, factor: float) -> UInt8Array:
    """Return the image enlarged or shrunk about its middle, with black around it."""
    side = len(pixels)
    edge = side * (1 - 1 / factor) / 2
    box = (edge, edge, side - edge, side - edge)
    return np.asarray(
        Image.fromarray(pixels).transform((side, side), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC)
    )


def brightened(pixels: UInt8Array, gamma: float) -> UInt8Array:
    """Return the image with its gray values raised to a power."""
    curve: UInt8Array = (255 * (pixels / 255) ** gamma).astype(np.uint8)
    return curve


COPIES: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "as it is": lambda pixels: pixels,
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "turned left": lambda pixels: turned(pixels, 8),
    "turned right": lambda pixels: turned(pixels, -8),
    "larger": lambda pixels: scaled(pixels, 1.08),
    "smaller": lambda pixels: scaled(pixels, 0.92),
    "brighter": lambda pixels: brightened(pixels, 0.8),
    "darker": lambda pixels: brightened(pixels, 1.25),
}
AVERAGES = (
    ("as it is", "mirrored"),
    ("as it is", "turned left", "turned right"),
    ("as it is", "larger", "smaller"),
    ("as it is", "brighter", "darker"),
    tuple(COPIES),
)


def logits_of(engine: Engine, images: ImageSet, change: Callable[[UInt8Array], UInt8Array]) -> Float32Array:
    """Return the network's logits for a copy of every image, float32 `(N, 4)`."""
    parameters = engine.card.preprocessing
    inputs = (to_input(change(pixels)[np.newaxis], parameters=parameters) for pixels in images.pixels)
    return np.concatenate([engine.predict(one).logits for one in inputs])


def scores(logits: Float32Array, images: ImageSet) -> dict[str, float]:
    """Accuracy, with the calibration that suits these answers best."""
    blank = np.zeros((len(logits), 0), np.float32)
    outputs = Outputs(images.rows, logits, blank, blank.astype(np.float16), blank)
    labels = outputs.labels(official=False)
    calibration = fit_calibration(outputs, official=False)
    p = Calibration(**calibration).probabilities(logits)
    recall = {name: value["recall"] for name, value in metrics.per_class(p, labels).items()}
    figures = {"accuracy": metrics.accuracy(p, labels), "nll": metrics.nll(p, labels), "ece": metrics.ece(p, labels)}
    figures |= {"meningioma_recall": recall["meningioma"], "specificity": recall["notumor"]}
    return {name: round(value, 4) for name, value in figures.items()} | calibration


def run(folder: Path, *, data: Path, exports: Path) -> dict[str, Any]:
    """Measure everything and return what is written."""
    engine = load_engine(folder, engine="auto", exports=exports)
    rows = [row for row in make_split(read_data(data), protocol="patient").validation if not row.partial]
    images = load_images(rows, size=engine.card.preprocessing.size)
    logits = {name: logits_of(engine, images, change) for name, change in COPIES.items()}
    table = {name: scores(values, images) for name, values in logits.items()}
    for names in AVERAGES:
        title = "mean of all" if len(names) == len(COPIES) else f"mean of {', '.join(names)}"
        table[title] = scores(np.mean([logits[name] for name in names], axis=0), images)
    for name, row in table.items():
        print(f"{name:<48} {row}", flush=True)
    return {
        "model": f"{engine.card.name} {engine.card.version}",
        "weights_sha256": engine.card.weights.sha256,
        "images": len(images),
        "on": "the validation part of the protocol patient",
        "table": table,
    }


def main() -> None:
    """Run the comparison, print it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "xception", metavar="DIR")
    parser.add_argument("--exports", type=Path, default=ROOT / "var" / "exports", metavar="DIR")
    options = parser.parse_args()
    write_result(OUTPUT, content=run(options.model, data=options.data, exports=options.exports), packages=PACKAGES)


if __name__ == "__main__":
    main()
