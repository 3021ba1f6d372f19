"""Read and verify model cards. The module is cheap and does not load TensorFlow, so that web processes can use it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classifier.findings import FINDINGS
from classifier.inference.calibration import Calibration
from classifier.inference.preprocessing import Preprocessing

CARD_NAME = "card.json"
POSSIBLE = 0.10
"""Smallest calibrated probability of a possible finding: one in ten deserves a clinician's attention."""
FORMAT = 1
LEAD_ERROR = 0.65
"""Least bound on the error of the difference of two logits."""
SCORE_ERROR = 0.075
"""Least bound on the error of an out-of-distribution score. See `bench/results/bfloat16.json` for the figures and
`docs/decisions/0004-cpu-engine.md` for the choice of each margin."""


class ModelError(Exception):
    """The model cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: `path`, hexadecimal `sha256`, and size in `bytes`."""

    path: Path
    sha256: str
    bytes: int

    def verify(self) -> None:
        """Check the file against the card.

        Raises:
            ModelError: If it is missing or differs.
        """
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing. Restore it from the distribution of the model.")
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if size != self.bytes or digest != self.sha256:
            raise ModelError(
                f"{self.path} is not the file that its card describes. Restore it, or make the card again. "
                f"Received: {size} bytes, sha256 {digest}"
            )


@dataclass(frozen=True, slots=True)
class OodCard:
    """Parameters of the out-of-distribution detector.

    Attributes:
        statistics: `.npz` file with statistics of the training images (`ood.Statistics`).
        feature_limit: Largest distance of the features that counts as brain MR if that of the appearance is 0.
        appearance_limit: Largest distance of the appearance that counts as brain MR if that of the features is 0.
    """

    statistics: ModelFile
    feature_limit: float
    appearance_limit: float


@dataclass(frozen=True, slots=True)
class SaliencyScale:
    """The range of evidence that a saliency map shows, in units of logits.

    Attributes:
        floor: Contrast up to which nothing is shown.
        ceiling: Contrast from which the color is full.
    """

    floor: float = 0.0
    ceiling: float = 10.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Decision thresholds on calibrated probabilities; an image that reaches none of them is uncertain.

    Attributes:
        finding: Threshold for a tumor of a known kind.
        notumor: Threshold for "no tumor".
        tumor: Threshold for a tumor of unknown kind; None disables that answer.
    """

    finding: float
    notumor: float
    tumor: float | None = None


@dataclass(frozen=True, slots=True)
class Rounding:
    """Bounds on the errors of engines that round; closer decisions are computed again in float32.

    A card can state larger bounds than the defaults, not smaller ones: the errors of most images are small, and the
    few hundred images that calibration measures may hold none of the large ones.

    Attributes:
        lead: Of the difference of two logits.
        score: Of an out-of-distribution score.
    """

    lead: float = LEAD_ERROR
    score: float = SCORE_ERROR


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model version: its files, preprocessing, thresholds and figures.

    Attributes:
        folder: The model's folder.
        name: Name of the model; that of its folder.
        version: Version of the weights and thresholds together.
        network: Name for `classifier.inference.network.build_network`.
        labels: Order of the logits; always `FINDINGS`.
        preprocessing: Format of the network's input.
        weights: The weights file.
        calibration: Maps logits to calibrated probabilities.
        thresholds: Decision thresholds.
        possible_from: For each finding, the smallest calibrated probability at which it remains possible.
        ood: Parameters of the out-of-distribution detector; None if the model has none.
        saliency: Scale of the class maps.
        rounding: Errors of engines that round.
        details: The whole card as read, with training, metrics, license and descriptions.
    """

    folder: Path
    name: str
    version: str
    network: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    weights: ModelFile
    calibration: Calibration
    thresholds: Thresholds
    possible_from: tuple[float, ...]
    ood: OodCard | None
    saliency: SaliencyScale
    rounding: Rounding
    details: Mapping[str, Any] = field(repr=False)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The card's measured figures, each with its protocol, date and command."""
        return list(self.details.get("metrics", ()))

    def at_site(self, values: Mapping[str, Mapping[str, float]]) -> "ModelCard":
        """Return the card with the calibration and the thresholds of a site.

        Args:
            values: `calibration`, `thresholds`, and `possible`, as `classifier.acceptance.refit` fits them.
        """
        return replace(
            self,
            calibration=Calibration(**values["calibration"]),
            thresholds=Thresholds(**values["thresholds"]),
            possible_from=tuple(values["possible"][name] for name in FINDINGS),
        )

    def verify(self) -> None:
        """Check every file of the model against the card.

        Raises:
            ModelError: If one is missing or differs.
        """
        self.weights.verify()
        if self.ood is not None:
            self.ood.statistics.verify()


def load_card(folder: Path, *, verify: bool = True) -> ModelCard:
    """Read `card.json` of a model folder.

    Args:
        folder: `models/<name>`.
        verify: Whether to check the files' digests (about 0.1 s for 40 MB).

    Returns:
        The card.

    Raises:
        ModelError: If the card is missing, malformed, of another format or label order, or a file differs.
    """
    folder = Path(folder)
    path = folder / CARD_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist. Choose a model that `manage.py models` lists.") from None
    except ValueError as error:
        raise ModelError(f"{path} is not readable JSON. Restore it. Received: {error}") from None
    try:
        card = _parse(folder, content)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is incomplete or wrong. Restore it. Received: {error!r}") from None
    if verify:
        card.verify()
    return card


def list_models(models_dir: Path) -> list[ModelCard]:
    """Return the cards of all models in a folder, sorted by name. Their files are not verified.

    Raises:
        ModelError: If a card cannot be used.
    """
    folders = sorted(path.parent for path in Path(models_dir).glob(f"*/{CARD_NAME}"))
    return [load_card(folder, verify=False) for folder in folders]


def _parse(folder: Path, content: dict[str, Any]) -> ModelCard:
    if content["format"] != FORMAT:
        raise ValueError(f"card format {content['format']!r}, this program reads {FORMAT}")
    labels = tuple(content["labels"])
    if labels != FINDINGS:
        raise ValueError(f"labels {labels}, this program expects {FINDINGS}")
    inputs = content["input"]
    low, high = inputs["range"]
    preprocessing = Preprocessing(
        size=int(inputs["size"]),
        channels=int(inputs["channels"]),
        low=float(low),
        high=float(high),
        resize=inputs["resize"],
    )
    return ModelCard(
        folder=folder,
        name=content["name"],
        version=content["version"],
        network=content["network"],
        labels=labels,
        preprocessing=preprocessing,
        weights=_file(folder, content["weights"]),
        calibration=_calibration(content["calibration"]),
        thresholds=_thresholds(content["abstention"]),
        possible_from=_possible_from(content.get("possible")),
        ood=_ood(folder, content.get("ood")),
        saliency=SaliencyScale(
            floor=float(content["saliency"]["floor"]), ceiling=float(content["saliency"]["ceiling"])
        ),
        rounding=_rounding(content.get("rounding")),
        details=content,
    )


def _file(folder: Path, content: dict[str, Any]) -> ModelFile:
    name = content["file"]
    if Path(name).name != name:
        raise ValueError(f"file name {name!r}, it must lie in the model's folder")
    return ModelFile(path=folder / name, sha256=content["sha256"], bytes=int(content["bytes"]))


def _calibration(content: dict[str, Any]) -> Calibration:
    """Read a card's calibration; cards before 2.0 have only a temperature."""
    return Calibration(
        temperature=float(content["temperature"]),
        tumor_slope=float(content.get("tumor_slope", 1.0)),
        tumor_offset=float(content.get("tumor_offset", 0.0)),
    )


def _thresholds(content: dict[str, Any]) -> Thresholds:
    """Read a card's thresholds; cards before 2.0 have one threshold for all findings."""
    finding = float(content["threshold"])
    tumor = content.get("tumor_threshold")
    return Thresholds(
        finding=finding,
        notumor=float(content.get("notumor_threshold", finding)),
        tumor=None if tumor is None else float(tumor),
    )


def _possible_from(content: dict[str, Any] | None) -> tuple[float, ...]:
    if content is None:
        return (POSSIBLE,) * len(FINDINGS)
    return tuple(float(content["thresholds"][name]) for name in FINDINGS)


def _rounding(content: dict[str, Any] | None) -> Rounding:
    if content is None:
        return Rounding()
    return Rounding(max(LEAD_ERROR, float(content["lead"])), max(SCORE_ERROR, float(content["score"])))


def _ood(folder: Path, content: dict[str, Any] | None) -> OodCard | None:
    if content is None:
        return None
    return OodCard(
        statistics=_file(folder, content),
        feature_limit=float(content["feature_limit"]),
        appearance_limit=float(content["appearance_limit"]),
    )
