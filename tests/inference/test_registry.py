import json
import subprocess
import sys

import pytest

from classifier.findings import FINDINGS
from classifier.inference.registry import LEAD_ERROR, SCORE_ERROR, ModelError, Rounding, list_models, load_card


def change(folder, **sections):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    for name, value in sections.items():
        card[name] = card.get(name, {}) | value if isinstance(value, dict) else value
    path.write_text(json.dumps(card))


def test_a_card_is_read_and_verified(tiny_folder):
    card = load_card(tiny_folder)
    assert (card.name, card.labels, card.preprocessing.size) == ("tiny", FINDINGS, 299)
    assert card.weights.path.is_file()


def test_models_are_listed_by_name(tiny_folder):
    assert [card.name for card in list_models(tiny_folder.parent)] == ["tiny"]


def test_changed_weights_are_noticed(own_tiny_folder):
    with (own_tiny_folder / "tiny.weights.h5").open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    with pytest.raises(ModelError, match="not the file that its card describes"):
        load_card(own_tiny_folder)
    assert load_card(own_tiny_folder, verify=False).name == "tiny"


@pytest.mark.parametrize("name", ["tiny.weights.h5", "ood.npz"])
def test_missing_files_are_noticed(own_tiny_folder, name):
    (own_tiny_folder / name).unlink()
    with pytest.raises(ModelError, match="is missing"):
        load_card(own_tiny_folder)


@pytest.mark.parametrize(
    "sections",
    [
        {"labels": ["meningioma", "glioma", "notumor", "pituitary"]},
        {"labels": ["glioma", "meningioma"]},
        {"format": 99},
        {"calibration": {"temperature": 0}},
        {"input": {"size": 0}},
        {"input": {"resize": "nearest"}},
        {"weights": {"file": "../elsewhere.h5"}},
        {"saliency": 3},
    ],
)
def test_a_wrong_card_is_refused_even_unverified(own_tiny_folder, sections):
    change(own_tiny_folder, **sections)
    with pytest.raises(ModelError, match="incomplete or wrong"):
        load_card(own_tiny_folder, verify=False)


@pytest.mark.parametrize(
    ("stated", "used"),
    [
        ({"lead": 0.1, "score": 0.01}, Rounding(LEAD_ERROR, SCORE_ERROR)),
        ({"lead": 0.9, "score": 0.01}, Rounding(0.9, SCORE_ERROR)),
        ({"lead": 0.1, "score": 0.2}, Rounding(LEAD_ERROR, 0.2)),
    ],
)
def test_a_card_widens_the_bounds_on_rounding_and_does_not_narrow_them(own_tiny_folder, stated, used):
    change(own_tiny_folder, rounding=stated)
    assert load_card(own_tiny_folder).rounding == used


def test_a_missing_or_broken_card_is_told_apart(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_card(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ModelError, match="not readable JSON"):
        load_card(tmp_path)


def test_reading_cards_loads_no_tensorflow(tiny_folder):
    program = (
        "import sys; from pathlib import Path\n"
        "import classifier.inference.analyzer, classifier.inference.saliency\n"
        "from classifier.inference.registry import load_card\n"
        f"load_card(Path({str(tiny_folder)!r}))\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'h5py')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
