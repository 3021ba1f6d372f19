from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.inference.conftest import make_tiny_model


@pytest.fixture
def models(tmp_path, settings) -> Path:
    settings.MODELS_DIR = tmp_path / "models"
    settings.EXPORTS_DIR = tmp_path / "exports"
    make_tiny_model(tmp_path / "models" / "tiny")
    return tmp_path / "models"


def export(*arguments) -> str:
    out = StringIO()
    call_command("export_model", *arguments, stdout=out)
    return out.getvalue().strip()


def test_it_prints_where_the_graph_lies_and_makes_it_once(models, settings):
    path = Path(export("--model", "tiny", "--engine", "openvino"))
    assert path.parent == settings.EXPORTS_DIR / "tiny"
    made = (path / "model.xml").stat().st_mtime_ns
    assert export("--model", "tiny", "--engine", "auto") == str(path)
    assert (path / "model.xml").stat().st_mtime_ns == made


def test_keras_needs_no_graph(models):
    assert export("--model", "tiny", "--engine", "keras") == "The engine keras runs the weights themselves."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "nobody"), "does not exist. Choose a model that"),
        (("--model", "tiny", "--engine", "steam"), "ENGINE must be one of auto, keras"),
    ],
)
def test_what_cannot_be_exported_is_reported(models, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        export(*arguments)
