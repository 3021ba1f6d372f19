"""Reads of model cards on disk, and of the defaults that choose between models. Nothing here loads a network."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from classifier.inference.registry import ModelCard, ModelError, load_card
from classifier.models import Analysis, Installation, Scan, Team


def available_models() -> list[str]:
    """Return the names of the folders under `MODELS_DIR` that hold a model card."""
    return sorted(path.parent.name for path in Path(settings.MODELS_DIR).glob("*/card.json"))


def model_card(name: str) -> ModelCard | None:
    """Return the card of a model, or None if the model does not exist. Read the file again when it changes."""
    if name not in available_models():
        return None
    folder = Path(settings.MODELS_DIR) / name
    return _card(folder, (folder / "card.json").stat().st_mtime_ns)


def card_of(analysis: Analysis) -> ModelCard | None:
    """Return the card of the version that ran, or would run; None if another version is installed."""
    try:
        card = model_card(analysis.model_name)
    except ModelError:
        return None
    if card is None or (analysis.model_version and card.version != analysis.model_version):
        return None
    return card


def model_cards() -> tuple[list[ModelCard], list[str]]:
    """Return the readable cards, the installation's default first, and the names of the models with a damaged card."""
    default = default_model()
    cards, damaged = [], []
    for name in sorted(available_models(), key=lambda name: (name != default, name)):
        try:
            card = model_card(name)
        except ModelError:
            damaged.append(name)
        else:
            # None: removed since the folder was listed.
            cards += [] if card is None else [card]
    return cards, damaged


def default_model(team: Team | None = None) -> str:
    """Return the name of the model that analyzes a scan unless another is asked for.

    It is the team's default, else the one that staff chose for the installation, else `MODEL`. A choice that is no
    longer installed does not count, so that uploads go on after a model was removed.
    """
    installed = available_models()
    if team is not None and team.default_model in installed:
        return team.default_model
    chosen = Installation.objects.values_list("default_model", flat=True).first() or ""
    return chosen if chosen in installed else str(settings.MODEL)


def model_choices() -> list[tuple[str, str]]:
    """Return name and label of each model that can be chosen, the default of the installation first."""
    cards, _ = model_cards()
    return [(card.name, model_label(card)) for card in cards]


def model_label(card: ModelCard) -> str:
    """Return the name of a model with its version, for people."""
    return f"{card.name} {card.version}"


def would_repeat(scan: Scan, *, model: str) -> bool:
    """Return True if the current result of the scan comes from this model in its present version."""
    analysis = scan.current_analysis
    if analysis is None or analysis.state != Analysis.State.SUCCEEDED or analysis.model_name != model:
        return False
    card = model_card(model)
    return card is not None and analysis.model_version == card.version


@lru_cache(maxsize=64)
def _card(folder: Path, modified_ns: int) -> ModelCard:
    return load_card(folder, verify=False)
