"""What `manage.py evaluate` writes where, and what it never overwrites."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from classifier.inference.registry import load_card
from classifier.training.predictions import NOT_SHIPPED, read_predictions
from tests.inference.conftest import make_tiny_model


@pytest.fixture
def models(tmp_path, settings):
    """Two models: `tiny`, which is shipped, and `run`, which is not."""
    settings.MODELS_DIR = tmp_path / "models"
    settings.ENGINE = "keras"
    make_tiny_model(tmp_path / "models" / "tiny")
    make_tiny_model(tmp_path / "models" / "run")
    return tmp_path / "models"


def evaluate(model, data, *more, protocol="official"):
    out = StringIO()
    call_command("evaluate", "--model", model, "--data", str(data), "--protocol", protocol, *more, stdout=out)
    return out.getvalue()


def keep(folder, *, protocol="official", **figures):
    """Keep figures as those of a run that is not shipped."""
    (folder / "evaluation").mkdir(exist_ok=True)
    path = folder / "evaluation" / f"{protocol}.json"
    content = {"model": "older", "version": "1.0.0", "weights_sha256": "0", "weights": NOT_SHIPPED}
    path.write_text(json.dumps(content | figures))
    return path


def test_figures_of_weights_that_are_not_shipped_are_not_overwritten(models, data):
    path = keep(models / "tiny")
    before = path.read_text()
    with pytest.raises(CommandError, match=r"holds the figures of older 1\.0\.0, whose weights are not shipped"):
        evaluate("tiny", data, "--record")
    assert path.read_text() == before
    assert not load_card(models / "tiny").metrics
    # Printing them overwrites nothing.
    assert "Protocol `official`" in evaluate("tiny", data)
    evaluate("tiny", data, "--record", "--replace")
    assert json.loads(path.read_text())["model"] == "tiny"
    # Now they are the model's own.
    evaluate("tiny", data, "--record")


def test_a_run_that_is_not_shipped_is_recorded_beside_a_model(models, data):
    card = (models / "tiny" / "card.json").read_text()
    digest = load_card(models / "run").weights.sha256
    path = keep(models / "tiny", weights_sha256=digest)
    evaluate("run", data, "--record-beside", "tiny")
    figures = json.loads(path.read_text())
    assert (figures["model"], figures["weights"], figures["weights_sha256"]) == ("run", NOT_SHIPPED, digest)
    assert figures["command"].endswith("--record-beside tiny")
    predictions = read_predictions(path.with_suffix(".csv"))
    assert sum(item.part == "test" for item in predictions) == figures["images"]
    assert (models / "tiny" / "card.json").read_text() == card
    assert "They are not the weights of this model" in (models / "tiny" / "README.md").read_text()
    assert not (models / "run" / "evaluation").exists()


def test_a_run_does_not_replace_other_figures(models, data):
    with pytest.raises(CommandError, match="another model"):
        evaluate("run", data, "--record-beside", "run")
    with pytest.raises(CommandError, match="does not exist"):
        evaluate("run", data, "--record-beside", "missing")
    kept = keep(models / "tiny")
    with pytest.raises(CommandError, match="--replace"):
        evaluate("run", data, "--record-beside", "tiny")
    assert json.loads(kept.read_text())["model"] == "older"
    own = keep(models / "tiny", model="tiny", weights="shipped")
    with pytest.raises(CommandError, match="the figures of tiny itself"):
        evaluate("run", data, "--record-beside", "tiny", "--replace")
    assert json.loads(own.read_text())["model"] == "tiny"


def test_the_release_gate_does_not_run_weights_that_are_not_there(models, data):
    call_command("calibrate", "--model", "tiny", "--data", str(data), "--protocol", "patient", stdout=StringIO())
    evaluate("tiny", data, "--record", protocol="patient")
    evaluate("run", data, "--record-beside", "tiny")
    out = StringIO()
    call_command("verify_model", "--model", "tiny", "--data", str(data), "--limit", "3", stdout=out)
    assert "patient.json" in out.getvalue()
    assert "official" not in out.getvalue()
