"""`manage.py models`."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests.inference.conftest import make_tiny_model


def table(settings, folder) -> list[str]:
    settings.MODELS_DIR = folder
    settings.MODEL = "tiny"
    out = io.StringIO()
    call_command("models", stdout=out)
    return out.getvalue().splitlines()


def test_models_are_listed_and_verified(settings, tmp_path):
    make_tiny_model(tmp_path / "tiny")
    header, row = table(settings, tmp_path)
    assert header.split()[:3] == ["name", "version", "network"]
    assert row.split() == ["tiny", "1", "tiny", "verified", "yes"]


def test_a_damaged_model_is_named(settings, tmp_path):
    folder = make_tiny_model(tmp_path / "tiny")
    (folder / "ood.npz").unlink()
    with pytest.raises(CommandError, match=r"ood\.npz is missing"):
        table(settings, tmp_path)
