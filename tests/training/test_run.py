import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.inference.network import build_network
from classifier.training.config import TrainingConfig
from classifier.training.loop import Trainer
from classifier.training.run import RunOptions, command_line, split_of, train

CONFIG = TrainingConfig(stages=((96, 2),), batch_size=8, learning_rate=1e-2, freeze=0)


def silent(done, total, loss, left):
    """Progress that nobody reads."""


@pytest.fixture
def options(data, tmp_path):
    return RunOptions(data=(data,), output=tmp_path / "run", network="tiny")


def test_a_run_leaves_everything_behind(options):
    seen = []
    record = train(options, config=CONFIG, progress=lambda done, total, loss, left: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == record["steps"]
    assert {"checkpoint.npz", "best.weights.h5", "final.weights.h5", "run.json", "curve.json"} <= {
        path.name for path in options.output.iterdir()
    }
    written = json.loads((options.output / "run.json").read_text())
    assert written["config"]["learning_rate"] == 1e-2
    assert written["partial_labels"] > 0
    assert [entry["epoch"] for entry in written["curve"]] == [1, 2]
    assert {"validation_loss", "validation_accuracy", "validation_pointing"} <= set(written["curve"][0])


def test_without_validation_its_images_are_learnt(options):
    usual = split_of(options)
    record = train(replace(options, validate=False), config=CONFIG, progress=silent)
    assert record["images"]["validation"] == 0
    assert record["images"]["train"] == len(usual.train) + len(usual.validation)
    assert "validation_loss" not in record["curve"][0]


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(options, tmp_path, average):
    config = replace(CONFIG, ema=average)
    train(options, config=config, progress=silent)

    class Killed(Exception):
        pass

    def kill(done, total, loss, left):
        if done == total - 2:
            raise Killed

    other = replace(options, output=tmp_path / "other")
    with pytest.raises(Killed):
        train(other, config=config, progress=kill)
    train(other, config=config, progress=silent)
    first, second = (np.load(run.output / "checkpoint.npz") for run in (options, other))
    for name in first.files:
        if name != "state":
            assert first[name] == pytest.approx(second[name], abs=1e-4)


def test_a_network_learns_from_mixtures_and_with_rates_by_block(options):
    config = replace(CONFIG, mixup_alpha=0.4, layerwise_decay=0.9)
    record = train(options, config=config, progress=silent)
    assert record["config"]["mixup_alpha"] == 0.4
    assert np.isfinite([entry["loss"] for entry in record["curve"]]).all()


def test_a_wrong_weights_file_is_named(options, tmp_path):
    path = tmp_path / "wrong.weights.h5"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"wrong\.weights\.h5 does not hold weights of this network"):
        train(replace(options, initial_weights=path), config=CONFIG, progress=silent)


def test_a_checkpoint_of_another_network_is_refused(options, tmp_path):
    trainer = Trainer(build_network("tiny"), config=CONFIG, folder=tmp_path / "run")
    trainer.save()
    path = tmp_path / "run" / "checkpoint.npz"
    with np.load(path) as archive:
        np.savez(path, **{name: archive[name] for name in archive.files if name != "0"})
    with pytest.raises(ValueError, match="belongs to another network"):
        trainer.resume()


def test_training_stops_when_validation_stops_improving(options):
    config = replace(CONFIG, stages=((96, 8),), learning_rate=0.0, patience=2)
    record = train(options, config=config, progress=silent)
    assert len(record["curve"]) == 3


def test_a_network_learns_the_drawn_tumors(options):
    config = replace(CONFIG, stages=((96, 12),), learning_rate=2e-2)
    curve = train(options, config=config, progress=silent)["curve"]
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]


def test_the_rate_warms_up_and_falls_to_zero():
    config = TrainingConfig(learning_rate=1.0, warm_up=0.1)
    assert replace(config, floor=0.2).rate(99, steps=100) == pytest.approx(0.2, abs=0.01)
    rates = [config.rate(step, steps=100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] < 0.01


def test_a_record_names_no_folder_of_its_machine(monkeypatch):
    monkeypatch.setattr("sys.argv", ["manage.py", "train", "--data", "/home/jane/data", "--stage", "96:1"])
    assert command_line() == "manage.py train --data data --stage 96:1"


def test_an_architecture_trains_in_its_own_format(options):
    config = replace(CONFIG, stages=((64, 1),), epoch_steps=2, learning_rate=1e-3)
    record = train(replace(options, network="compact-cnn", limit=16), config=config, progress=silent)
    assert record["network"] == "compact-cnn"
    assert record["input"]["channels"] == 1
    assert np.isfinite(record["curve"][0]["validation_loss"])
