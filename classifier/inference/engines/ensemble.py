"""Run several models as one: the mean of their calibrated logits.

A card with the network `ensemble` has `members.json` in place of weights. It names the member models, which lie beside
the ensemble's folder, with their versions and the digests of their weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from classifier.inference.calibration import Calibration
from classifier.inference.engines.base import Engine, EngineOutput
from classifier.inference.ood import normalize
from classifier.inference.preprocessing import RESIZE_METHODS, Float32Array, Preprocessing
from classifier.inference.registry import ModelCard, ModelError, load_card
from classifier.inference.second_look import RoundingEngine

MEMBERS_NAME = "members.json"
SMALLEST = 1e-7
"""Smallest probability whose logarithm is averaged; members' answers are no surer than this."""


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of `members.json`: name, version, and SHA-256 of its weights."""

    name: str
    version: str
    weights_sha256: str


def read_members(path: Path) -> list[Member]:
    """Read `members.json`.

    Raises:
        ModelError: If it is malformed or names fewer than two models.
    """
    try:
        content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["members"]
        members = [Member(item["name"], item["version"], item["weights_sha256"]) for item in content]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not usable. Restore it. Received: {error!r}") from None
    if len({member.name for member in members}) < 2 or any(Path(item.name).name != item.name for item in members):
        raise ModelError(f"{path} must name at least two models of its own folder. Received: {members}")
    return members


def member_cards(card: ModelCard) -> list[ModelCard]:
    """Return the verified cards of an ensemble's members.

    Raises:
        ModelError: If a member is missing, differs from what the ensemble was calibrated with, or reads other images.
    """
    cards = []
    for member in read_members(card.weights.path):
        found = load_card(card.folder.parent / member.name)
        if (found.version, found.weights.sha256) != (member.version, member.weights_sha256):
            raise ModelError(
                f"{card.name} was made with {member.name} {member.version}, but {found.version} is installed. "
                "Make and calibrate the ensemble again."
            )
        cards.append(found)
    check_inputs([card.preprocessing, *(each.preprocessing for each in cards)])
    return cards


def check_inputs(parameters: list[Preprocessing]) -> None:
    """Stop on members whose inputs cannot be made from the ensemble's.

    Args:
        parameters: The ensemble's, then those of its members.

    Raises:
        ModelError: If resize methods differ, or a member reads larger images than the ensemble.
    """
    if len({each.resize for each in parameters}) != 1:
        methods = ", ".join(each.resize for each in parameters)
        raise ModelError(f"The members of an ensemble must resize images with one method. Received: {methods}")
    if parameters[0].size < max(each.size for each in parameters):
        sizes = ", ".join(str(each.size) for each in parameters)
        raise ModelError(f"An ensemble must read images as large as those of its largest member. Received: {sizes}")


class EnsembleEngine:
    """Run the members one after the other on the same images."""

    def __init__(self, card: ModelCard, members: list[Engine]) -> None:
        """Store the members' engines, which are already loaded.

        Args:
            card: The ensemble's card.
            members: One engine for each member, in the order of `members.json`.
        """
        self.card, self.members = card, members
        self.name = members[0].name

    def predict(self, batch: Float32Array) -> EngineOutput:
        """Run every member; see `Engine.predict`."""
        return combine(
            [member.predict(self._input_of(member, batch)) for member in self.members],
            [member.card.calibration for member in self.members],
        )

    def _input_of(self, member: Engine, batch: Float32Array) -> Float32Array:
        return converted(batch, source=self.card.preprocessing, target=member.card.preprocessing)


class RoundingEnsembleEngine(EnsembleEngine):
    """An ensemble of engines that round and can also run in float32."""

    members: list[Any]

    def predict_exact(self, batch: Float32Array) -> EngineOutput:
        """Run every member in float32; see `Engine.predict`."""
        return combine(
            [member.predict_exact(self._input_of(member, batch)) for member in self.members],
            [member.card.calibration for member in self.members],
        )


def make_ensemble_engine(card: ModelCard, members: list[Engine]) -> EnsembleEngine:
    """Return an ensemble that rounds exactly if its members do."""
    rounds = all(isinstance(member, RoundingEngine) for member in members)
    return (RoundingEnsembleEngine if rounds else EnsembleEngine)(card, members)


def converted(batch: Float32Array, *, source: Preprocessing, target: Preprocessing) -> Float32Array:
    """Turn one model's input into that of another that resizes images with the same method.

    An image is resized once more if the other model reads smaller ones. The result differs slightly from what that
    model reads alone, so an ensemble is calibrated and evaluated with it.

    Args:
        batch: float32 `(N, size, size, channels)` of `source`.
        source: Format of the batch.
        target: Wanted format, at most as large.

    Returns:
        float32 `(N, size, size, channels)` of `target`; the batch itself if the formats are equal.
    """
    if source == target:
        return batch
    gray = batch[..., :1]
    if source.size != target.size:
        shape = (target.size, target.size)
        planes = [Image.fromarray(plane).resize(shape, RESIZE_METHODS[target.resize]) for plane in gray[..., 0]]
        # The bicubic filter overshoots at edges. Pixels of 8 bits are cut off there, and so are these.
        gray = np.stack([np.asarray(plane) for plane in planes])[..., None].clip(source.low, source.high)
    scale = (target.high - target.low) / (source.high - source.low)
    gray = (gray - np.float32(source.low)) * np.float32(scale) + np.float32(target.low)
    return np.ascontiguousarray(np.repeat(gray, target.channels, axis=-1), np.float32)


def combine(outputs: list[EngineOutput], calibrations: list[Calibration]) -> EngineOutput:
    """Average the members' answers.

    A member's calibrated logits are the logarithms of its calibrated probabilities. The class maps of each member are
    divided by its temperature and shifted so that their mean is its calibrated logits; so the ensemble's logits, too,
    are the mean of its class maps. Features of length 1 are put side by side, so that no member outweighs another.

    Args:
        outputs: The members' outputs for the same N images.
        calibrations: The members' calibrations.

    Returns:
        Logits, features `(N, C1 + C2 + …)` and class maps of the finest member's size.
    """
    side = max(output.class_maps.shape[1] for output in outputs)
    logits, maps = [], []
    for output, calibration in zip(outputs, calibrations, strict=True):
        own = np.log(np.maximum(calibration.probabilities(output.logits), np.float32(SMALLEST)))
        fine = enlarged(output.class_maps, side=side) / np.float32(calibration.temperature)
        logits.append(own)
        maps.append(fine + (own - fine.mean(axis=(1, 2)))[:, None, None])
    features = np.concatenate([normalize(output.features) for output in outputs], axis=1)
    return EngineOutput(np.mean(logits, axis=0, dtype=np.float32), features, np.mean(maps, axis=0, dtype=np.float32))


def enlarged(maps: Float32Array, *, side: int) -> npt.NDArray[np.float32]:
    """Enlarge class maps `(N, h, w, 4)` to `(N, side, side, 4)`, bilinearly."""
    if maps.shape[1] == side:
        return maps
    planes = [
        np.asarray(Image.fromarray(plane).resize((side, side), Image.Resampling.BILINEAR), np.float32)
        for plane in np.ascontiguousarray(np.moveaxis(maps, -1, 1)).reshape(-1, *maps.shape[1:3])
    ]
    stacked = np.stack(planes).reshape(len(maps), maps.shape[-1], side, side)
    return np.ascontiguousarray(np.moveaxis(stacked, 1, -1))
