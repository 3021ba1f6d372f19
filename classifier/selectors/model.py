"""Reads of the models on disk: their cards only. Nothing here loads a network."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from classifier.inference.registry import ModelCard, load_card


def available_models() -> list[str]:
    """Names of the folders under `MODELS_DIR` that hold a model card."""
    return sorted(path.parent.name for path in Path(settings.MODELS_DIR).glob("*/card.json"))


def model_card(name: str) -> ModelCard | None:
    """The card of a model, read again when its file changes; `None` if there is no such model."""
    if name not in available_models():
        return None
    folder = Path(settings.MODELS_DIR) / name
    return _card(folder, (folder / "card.json").stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _card(folder: Path, modified_ns: int) -> ModelCard:
    return load_card(folder, verify=False)
