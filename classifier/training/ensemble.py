"""Make a model folder for an ensemble of several models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.inference.architectures import ENSEMBLE
from classifier.inference.engines.ensemble import MEMBERS_NAME, check_inputs
from classifier.inference.registry import CARD_NAME, ModelCard, ModelError, load_card
from classifier.training.cards import new_card, read_card, write_json
from classifier.training.package import TEXTS
from classifier.training.page import write_page


def make_ensemble(folder: Path, *, members: Sequence[str], version: str) -> Path:
    """Write the card of an ensemble. It is not calibrated yet; its members must be.

    Args:
        folder: `models/<name>`, made or written over. The members lie beside it.
        members: Names of at least two models. Unless the folder has a card with texts, title and attribution name all
            of them, and the other texts are the first's.
        version: Version of the ensemble.

    Returns:
        The path of the card.

    Raises:
        ModelError: If a member cannot be used, or they were trained under different protocols or resize images with
            different methods.
    """
    if len(set(members)) < 2 or folder.name in members:
        raise ModelError(f"An ensemble needs two or more other models. Received: {', '.join(members)}")
    cards = [load_card(folder.parent / name) for name in members]
    if any(card.network == ENSEMBLE for card in cards):
        raise ModelError("An ensemble cannot be a member of another one.")
    # Smaller inputs are made from the largest.
    largest = max((card.preprocessing for card in cards), key=lambda each: each.size)
    check_inputs([largest, *(card.preprocessing for card in cards)])
    protocols = {card.details.get("training", {}).get("protocol") for card in cards}
    if len(protocols) != 1:
        raise ModelError(f"The members were trained under different protocols. Received: {protocols}")
    texts = _texts(folder, cards=cards)
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"name": card.name, "version": card.version, "weights_sha256": card.weights.sha256} for card in cards]
    write_json(folder / MEMBERS_NAME, {"members": listed})
    costs = [card.details.get("architecture", {}) for card in cards]
    known = all("parameters" in cost for cost in costs)
    counts = {key: sum(cost[key] for cost in costs) for key in ("parameters", "multiply_adds")} if known else {}
    text = ", ".join(f"{card.name} {card.version}" for card in cards)
    path = new_card(
        folder,
        network=ENSEMBLE,
        version=version,
        weights=MEMBERS_NAME,
        texts=texts
        | {
            "members": list(members),
            "training": {"protocol": protocols.pop(), "recipe": f"mean of the calibrated logits of {text}"},
            "architecture": {"name": ENSEMBLE} | counts,
        },
        preprocessing=largest,
        dtype="json",
    )
    write_page(folder)
    return path


def _texts(folder: Path, *, cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return the texts of the folder's card, or, without one, texts made from those of the members."""
    exists = (folder / CARD_NAME).is_file()
    old = read_card(folder if exists else cards[0].folder)
    texts = {name: old[name] for name in TEXTS if name in old}
    if not exists:
        listed = [line for card in cards for line in card.details.get("attribution", ())]
        texts |= {
            "title": f"Mean of {' and '.join(card.name for card in cards)}",
            "attribution": [*dict.fromkeys(listed)],
        }
    return texts
