import json

import pytest

from classifier.inference.registry import ModelError, load_card
from classifier.training.package import describe_training, package_run
from classifier.training.page import write_page
from tests.inference.conftest import SHIPPED, make_tiny_model


def record(**changes):
    config = {
        "stages": [[224, 2], [299, 1]],
        "learning_rate": 2e-4,
        "batch_size": 16,
        "freeze": 3,
        "smoothing": 0.05,
        "weight_decay": 0.01,
        "location": 0.2,
        "seed": 1,
    }
    return {
        "protocol": "patient",
        "test_fold": 0,
        "images": {"train": 900, "validation": 100},
        "partial_labels": 40,
        "manifests": {"manifest.csv": "abc" * 20},
        "config": config,
        "steps": 12,
        "finished": "2026-01-01",
    } | changes


def test_the_card_tells_how_the_weights_came_to_be():
    stopped = record(config=record()["config"] | {"location": 0.0})
    del stopped["finished"]
    text = describe_training([stopped, record()])
    assert "900 images" in text["data"]
    assert "fold 0 never seen" in text["data"]
    first, second = text["recipe"].split("; then ")
    assert "stopped after 12 steps" in first
    assert "location loss 0," in first
    assert "2 at 224 pixels, 1 at 299 pixels, AdamW 0.0002" in second


def test_records_before_the_rename_are_still_described():
    old = record()
    old["plan"] = old.pop("config") | {"average": 0.9}
    assert "moving average of the weights 0.9" in describe_training([old])["recipe"]


def test_a_run_that_went_on_from_a_model_takes_over_its_history(tmp_path):
    like = make_tiny_model(tmp_path / "like")
    (like / "training").mkdir()
    (like / "training" / "runs.json").write_text(json.dumps([record(network="tiny", steps=99)]))
    run = tmp_path / "run"
    run.mkdir()
    (run / "final.weights.h5").write_bytes((like / "tiny.weights.h5").read_bytes())
    curve = [{"epoch": 1, "step": 12, "size": 96, "loss": 1.0}]
    digest = load_card(like).weights.sha256
    (run / "run.json").write_text(json.dumps(record(network="tiny", curve=curve, initial_weights=digest)))
    package_run(run, folder=tmp_path / "tiny", version="2", like=like)
    kept = json.loads((tmp_path / "tiny" / "training" / "runs.json").read_text())
    assert [entry["steps"] for entry in kept] == [99, 12]


def test_runs_of_different_protocols_make_no_model():
    with pytest.raises(ModelError, match="different protocols"):
        describe_training([record(), record(protocol="official", test_fold=None)])


def test_figures_of_earlier_weights_do_not_stay_beside_new_ones(tmp_path):
    like = make_tiny_model(tmp_path / "like")
    run, folder = tmp_path / "run", tmp_path / "models" / "tiny"
    (folder / "evaluation").mkdir(parents=True)
    for stale in (folder / "evaluation" / "patient.json", folder / "calibration.json"):
        stale.write_text("{}")
    run.mkdir()
    (run / "final.weights.h5").write_bytes((like / "tiny.weights.h5").read_bytes())
    curve = [{"epoch": 1, "step": 12, "size": 96, "loss": 1.0}]
    (run / "run.json").write_text(json.dumps(record(network="tiny", curve=curve)))
    package_run(run, folder=folder, version="2", like=like)
    assert not (folder / "evaluation").exists()
    assert not (folder / "calibration.json").exists()
    card = load_card(folder)
    assert (card.version, card.metrics) == ("2", [])


def test_figures_of_other_weights_are_named_as_such(tmp_path):
    folder = make_tiny_model(tmp_path / "tiny")
    (folder / "evaluation").mkdir()
    figures = json.loads((SHIPPED / "evaluation" / "patient.json").read_text())
    for digest, named in ((load_card(folder).weights.sha256, False), ("0" * 64, True)):
        text = json.dumps(figures | {"weights_sha256": digest, "trained_under": "official"})
        (folder / "evaluation" / "official.json").write_text(text)
        page = write_page(folder).read_text()
        assert ("not the weights of this model" in page) == named


def test_texts_come_from_a_file_or_from_another_model(tmp_path):
    like = make_tiny_model(tmp_path / "like")
    run, texts = tmp_path / "run", tmp_path / "texts.json"
    run.mkdir()
    (run / "final.weights.h5").write_bytes((like / "tiny.weights.h5").read_bytes())
    curve = [{"epoch": 1, "step": 12, "size": 96, "loss": 1.0}]
    (run / "run.json").write_text(json.dumps(record(network="tiny", curve=curve)))
    texts.write_text(json.dumps({"weaknesses": ["Small lesions"]}))
    package_run(run, folder=tmp_path / "tiny", version="2", like=like, texts=texts)
    card = load_card(tmp_path / "tiny").details
    assert (card["title"], card["weaknesses"]) == ("Tiny", ["Small lesions"])
    assert card["architecture"]["parameters"] > 0
    texts.write_text(json.dumps({"metrics": []}))
    with pytest.raises(ValueError, match="Received: metrics"):
        package_run(run, folder=tmp_path / "tiny", version="2", like=like, texts=texts)
