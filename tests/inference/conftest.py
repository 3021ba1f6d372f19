"""A tiny real network with the shipped wiring, and the shipped model itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from classifier.inference.analyzer import Analyzer
from classifier.inference.ood import Statistics

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "xception"


def make_tiny_model(folder: Path) -> Path:
    """A model folder with random weights: backbone, pooling, linear head, card, out-of-distribution statistics."""
    import keras

    from classifier.inference.network import build_network, save_float16
    from classifier.training.cards import describe_file, new_card, read_card, write_card

    folder.mkdir(parents=True)
    keras.utils.set_random_seed(3)
    save_float16(build_network("tiny"), folder / "tiny.weights.h5")
    new_card(folder, network="tiny", version="1", weights="tiny.weights.h5", texts={"title": "Tiny"})
    random = np.random.default_rng(0)
    statistics = Statistics.fit(random.random((20, 16), np.float32), random.random((20, 13), np.float32), axes=4)
    statistics.save(folder / "ood.npz")
    entry = describe_file(folder / "ood.npz", dtype="float16")
    card = read_card(folder) | {"ood": entry | {"feature_limit": 2.0, "appearance_limit": 1e6}}
    write_card(folder, card)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def exports(tmp_path_factory) -> Path:
    """Where exported graphs are kept, so that each is made once."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def tiny(tiny_folder, exports) -> Analyzer:
    """In float32 on every machine: `auto` would round where the processor computes in bfloat16."""
    return Analyzer.from_folder(tiny_folder, engine="openvino", exports=exports)


@pytest.fixture
def own_tiny_folder(tiny_folder, tmp_path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for path in tiny_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="session")
def shipped(exports) -> Analyzer:
    return Analyzer.from_folder(SHIPPED, exports=exports)


@pytest.fixture(scope="session")
def samples() -> list[tuple[str, np.ndarray]]:
    """The bundled sample scans: pairs of finding and gray pixels."""
    from PIL import Image

    listing = json.loads((ROOT / "samples" / "samples.json").read_text(encoding="utf-8"))["samples"]
    return [
        (entry["finding"], np.asarray(Image.open(ROOT / "samples" / entry["file"]).convert("L"))) for entry in listing
    ]


@pytest.fixture
def gray() -> np.ndarray:
    """A gray picture that is neither square nor of the network's size."""
    ramp = np.linspace(0, 255, 200 * 160).reshape(200, 160)
    return ramp.astype(np.uint8)
