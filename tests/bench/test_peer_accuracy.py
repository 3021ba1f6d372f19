import zipfile

import numpy as np
import pytest
from PIL import Image

from bench.peer_accuracy import Peer, _input, known_findings
from bench.peer_table import MODEL, peer_accuracy
from bench.report import read_results
from classifier.inference.registry import load_card
from classifier.training.manifest import Row
from devtools.running import ROOT


def row(label, *, group, file="a.png", mirrored=False):
    return Row(
        image=file,
        file=file,
        mirrored=mirrored,
        label=label,
        true_label=label,
        split="test",
        source="figshare",
        group=group,
        twin_group=group,
        fold=0,
    )


def test_a_file_that_is_no_wheel_is_named(tmp_path):
    wheel = tmp_path / "peer.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(SystemExit, match="is not a wheel"):
        Peer(wheel)


def test_a_wheel_without_a_network_is_named(tmp_path):
    wheel = tmp_path / "peer.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/readme.txt", "none")
    with pytest.raises(SystemExit, match=r"one Keras network\. Found: 0"):
        Peer(wheel)


def test_images_are_read_as_the_package_reads_them(tmp_path, monkeypatch):
    pixels = np.zeros((300, 300), np.uint8)
    pixels[:, 150:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    values = _input(row("glioma", group="a"))
    assert values.shape == (150, 150, 3)
    assert (values.min(), values.max()) == (-1.0, 1.0)
    assert (values[:, :75] == -1.0).all()
    assert (_input(row("glioma", group="a", mirrored=True))[:, :75] == 1.0).all()


def test_figures_are_counted_by_hand():
    rows = [row(label, group=label) for label in ("glioma", "meningioma", "notumor", "notumor", "pituitary")]
    logits = np.eye(4, dtype=np.float32)[[0, 0, 2, 3, 2]]
    figures = known_findings(logits, rows, official=False)
    assert figures["accuracy"]["value"] == pytest.approx(2 / 5)
    assert figures["recall"] == {"glioma": 1.0, "meningioma": 0.0, "notumor": 0.5, "pituitary": 0.0}
    assert figures["sensitivity"] == pytest.approx(2 / 3)
    assert figures["specificity"] == 0.5


def test_the_table_has_both_networks_in_each_row():
    result = read_results()["peer_accuracy"]
    card = load_card(ROOT / "models" / MODEL, verify=False)
    lines = peer_accuracy(result).splitlines()
    assert lines[0] == f"| figure | {result['peer']} | {card.name} {card.version} | pixel look-up |"
    value = result["peer_figures"]["erased"]["still_called_tumor"]
    assert f"{100 * value:.1f}%" in lines[-1]
