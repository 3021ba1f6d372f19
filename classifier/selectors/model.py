"""Reads of model cards on disk. Nothing here loads a network."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from classifier.inference.registry import ModelCard, load_card
from classifier.models import Analysis, Scan


def available_models() -> list[str]:
    """Return the names of the folders under `MODELS_DIR` that hold a model card."""
    return sorted(path.parent.name for path in Path(settings.MODELS_DIR).glob("*/card.json"))


def model_card(name: str) -> ModelCard | None:
    """Return the card of a model, or None if the model does not exist. Read the file again when it changes."""
    if name not in available_models():
        return None
    folder = Path(settings.MODELS_DIR) / name
    return _card(folder, (folder / "card.json").stat().st_mtime_ns)


def would_repeat(scan: Scan) -> bool:
    """Return True if the default model has analyzed the scan already, in its present version."""
    analysis = scan.current_analysis
    if analysis is None or analysis.state != Analysis.State.SUCCEEDED or analysis.model_name != settings.MODEL:
        return False
    card = model_card(settings.MODEL)
    return card is not None and analysis.model_version == card.version


@lru_cache(maxsize=16)
def _card(folder: Path, modified_ns: int) -> ModelCard:
    return load_card(folder, verify=False)
