"""Exported graphs: made once, made again when the weights change, never half."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from classifier.inference.engines import export, load_engine, prepare_model
from classifier.inference.engines.export import PARTIAL, export_path, is_whole, prepare
from classifier.inference.engines.openvino import GRAPH
from classifier.inference.network import build_network, save_float16
from classifier.inference.registry import ModelError, load_card
from tests.inference.conftest import ROOT

ENGINE = "openvino"


@pytest.fixture
def conversions(monkeypatch):
    """The conversions started, in place of real ones: each writes two small files."""
    done = []

    def convert(card, *, engine, target, package):
        done.append((card.name, engine))
        (target / GRAPH).write_text(f"graph of {card.weights.sha256}")
        (target / "model.bin").write_bytes(b"weights")

    monkeypatch.setattr(export, "_convert_elsewhere", convert)
    return done


@pytest.fixture
def card(tiny_folder):
    return load_card(tiny_folder)


def change_weights(folder):
    """Other weights, and the card that belongs to them."""
    import keras

    from classifier.training.cards import describe_file, read_card, write_card

    keras.utils.set_random_seed(11)
    save_float16(build_network("tiny"), folder / "tiny.weights.h5")
    entry = describe_file(folder / "tiny.weights.h5", dtype="float16")
    write_card(folder, read_card(folder) | {"weights": entry})


def folders_of(exports):
    return sorted(path.name for path in (exports / "tiny").iterdir() if path.is_dir())


def test_a_graph_is_made_once(card, conversions, tmp_path):
    told = []
    first = prepare(card, engine=ENGINE, exports=tmp_path, announce=lambda: told.append("now"))
    again = prepare(card, engine=ENGINE, exports=tmp_path, announce=lambda: told.append("now"))
    assert first == again == tmp_path / "tiny" / first.name
    assert first.name.startswith("openvino-")
    assert conversions == [("tiny", "openvino")]
    assert told == ["now"]


def test_other_weights_get_another_graph_and_the_old_one_goes(own_tiny_folder, conversions, tmp_path):
    exports = tmp_path / "exports"
    before = prepare(load_card(own_tiny_folder), engine=ENGINE, exports=exports)
    change_weights(own_tiny_folder)
    after = prepare(load_card(own_tiny_folder), engine=ENGINE, exports=exports)
    assert before != after
    assert folders_of(exports) == [after.name]


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "no digests", "garbled digests"])
def test_a_damaged_graph_is_made_again(card, conversions, tmp_path, damage):
    path = prepare(card, engine=ENGINE, exports=tmp_path)
    if damage == "changed":
        (path / "model.bin").write_bytes(b"weighty")
    elif damage == "cut":
        (path / GRAPH).write_text("")
    elif damage == "missing":
        (path / "model.bin").unlink()
    elif damage == "no digests":
        (path / export.DIGESTS).unlink()
    else:
        (path / export.DIGESTS).write_text("[1, 2")
    assert not is_whole(path)
    assert prepare(card, engine=ENGINE, exports=tmp_path) == path
    assert is_whole(path)
    assert len(conversions) == 2


def test_what_a_killed_conversion_left_is_cleared_away(card, conversions, tmp_path):
    leftover = tmp_path / "tiny" / f"{PARTIAL}4711"
    leftover.mkdir(parents=True)
    (leftover / GRAPH).write_text("half a gra")
    path = prepare(card, engine=ENGINE, exports=tmp_path)
    assert folders_of(tmp_path) == [path.name]


def test_a_failed_conversion_leaves_nothing_and_says_why(card, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "CONVERTER", "classifier.inference.engines.no_such_module")
    with pytest.raises(ModelError, match=r"could not be converted for openvino.*no_such_module"):
        prepare(card, engine=ENGINE, exports=tmp_path)
    assert folders_of(tmp_path) == []


def test_a_conversion_that_never_ends_is_given_up(card, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "SECONDS", 0.01)
    with pytest.raises(ModelError, match="took longer than"):
        prepare(card, engine=ENGINE, exports=tmp_path)
    assert folders_of(tmp_path) == []


def test_a_full_disk_is_reported_in_a_sentence(card, monkeypatch, tmp_path):
    def convert(card, *, engine, target, package):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_convert_elsewhere", convert)
    with pytest.raises(ModelError, match=r"No space left on device\. Make room there, or set EXPORTS_DIR"):
        prepare(card, engine=ENGINE, exports=tmp_path)


@pytest.mark.parametrize("given", ["none", "a file"])
def test_without_a_usable_folder_a_private_temporary_one_serves(card, conversions, tmp_path, monkeypatch, given):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(export.tempfile, "gettempdir", lambda: str(temporary))
    (tmp_path / "file").touch()
    exports = None if given == "none" else tmp_path / "file"
    path = prepare(card, engine=ENGINE, exports=exports)
    assert path == prepare(card, engine=ENGINE, exports=exports)
    assert path.is_relative_to(temporary)
    assert path.parents[1].stat().st_mode & 0o077 == 0
    assert len(conversions) == 1


def test_a_temporary_folder_that_others_may_write_to_is_not_trusted(card, tmp_path, monkeypatch):
    monkeypatch.setattr(export.tempfile, "gettempdir", lambda: str(tmp_path))
    planted = tmp_path / f"brainscan-exports-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(ModelError, match="belongs to someone else"):
        prepare(card, engine=ENGINE, exports=None)


def test_a_graph_that_somebody_else_made_is_used_where_nothing_may_be_written(card, conversions, tmp_path, monkeypatch):
    path = prepare(card, engine=ENGINE, exports=tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert prepare(card, engine=ENGINE, exports=tmp_path) == path
    assert len(conversions) == 1


def test_changed_weights_change_what_is_reported(own_tiny_folder, tmp_path):
    """The whole way, with real conversions: the graph never outlives its weights."""
    inputs = np.random.default_rng(1).uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
    before = load_engine(own_tiny_folder, engine=ENGINE, exports=tmp_path).predict(inputs)
    change_weights(own_tiny_folder)
    after = load_engine(own_tiny_folder, engine=ENGINE, exports=tmp_path).predict(inputs)
    assert not np.allclose(before.logits, after.logits, atol=1e-3)
    expected = load_engine(own_tiny_folder, engine="keras").predict(inputs)
    np.testing.assert_allclose(after.logits, expected.logits, atol=1e-4)


PROGRAM = (
    "import sys; from pathlib import Path; from classifier.inference.engines import prepare_model\n"
    "print(prepare_model(Path(sys.argv[1]), engine='openvino', exports=Path(sys.argv[2])))"
)


def preparing(folder, exports):
    command = [sys.executable, "-c", PROGRAM, str(folder), str(exports)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_two_that_ask_at_once_get_the_same_whole_graph(tiny_folder, tmp_path):
    both = [preparing(tiny_folder, tmp_path) for _ in range(2)]
    answers = {process.communicate(timeout=200)[0].strip() for process in both}
    path = export_path(load_card(tiny_folder), engine=ENGINE, exports=tmp_path)
    assert answers == {str(path)}
    assert is_whole(path)
    assert folders_of(tmp_path) == [path.name]


def test_a_killed_preparation_is_made_good_by_the_next(tiny_folder, tmp_path):
    killed = preparing(tiny_folder, tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(f"tiny/{PARTIAL}*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    path = prepare_model(tiny_folder, engine=ENGINE, exports=tmp_path)
    assert path is not None
    assert is_whole(path)
    assert path.name in folders_of(tmp_path)
