"""Reads for the comparison of models: cards, evaluations, and what each model costs."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from classifier.comparison.differences import Difference, differences_of
from classifier.comparison.evaluations import Evaluation, read_evaluations
from classifier.comparison.figures import Figure, figures_of, stated_figures
from classifier.comparison.tables import Column
from classifier.inference.architectures import ENSEMBLE
from classifier.inference.engines import ENGINES
from classifier.inference.engines.ensemble import Member, read_members
from classifier.inference.registry import ModelCard, ModelError, load_card
from classifier.queue.state import live_workers
from classifier.selectors.model import default_model, model_cards
from classifier.training.predictions import NOT_SHIPPED

MAIN_PROTOCOL = "patient"
"""The protocol that is shown first: its test patients were never trained on."""

BENCH_RESULTS = Path(settings.BASE_DIR) / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of a model. None where nothing was measured.

    Attributes:
        parameters: Number of weights.
        file_bytes: Size of its files.
        evaluation_ms: Median time of one image in the evaluation, in milliseconds.
        evaluation_engine: The engine of that measurement.
        bench_ms: Median time of one analysis in the benchmarks of these weights.
        bench_mebibytes: Resident memory of a process with the model loaded, in the same benchmarks.
        bench_engine: The engine of that measurement.
        bench_model: Model and version that it was made with: other calibrations of the same weights count.
        bench_date: Its day, YYYY-MM-DD.
        worker_bytes: Growth of a live worker's memory when it loaded the model.
    """

    parameters: int | None
    file_bytes: int
    evaluation_ms: float | None
    evaluation_engine: str
    bench_ms: float | None
    bench_mebibytes: float | None
    bench_engine: str
    bench_model: str
    bench_date: str
    worker_bytes: int | None


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """A model with everything that was measured of it.

    Attributes:
        card: Its card.
        is_default: Whether it is the default of the installation.
        evaluations: Its evaluations by protocol.
        costs: What it costs.
    """

    card: ModelCard
    is_default: bool
    evaluations: dict[str, Evaluation]
    costs: Costs

    @property
    def is_ensemble(self) -> bool:
        """Whether it combines other models."""
        return self.card.network == ENSEMBLE

    def figures(self, protocol: str) -> tuple[Figure, ...]:
        """Return all figures under a protocol; empty without an evaluation."""
        evaluation = self.evaluations.get(protocol)
        return () if evaluation is None else (*figures_of(evaluation), *stated_figures(evaluation))

    def measured_version(self, protocol: str) -> str:
        """Return the version that was evaluated."""
        evaluation = self.evaluations.get(protocol)
        return "" if evaluation is None else str(evaluation.figures.get("version", ""))

    def is_outdated(self, protocol: str) -> bool:
        """Return True if the evaluated weights are not those that are installed."""
        evaluation = self.evaluations.get(protocol)
        if evaluation is None or not evaluation.is_shipped:
            return False
        return bool(evaluation.figures.get("weights_sha256") != self.card.weights.sha256)

    def other_run(self, protocol: str) -> str:
        """Return the name of the run that was evaluated if its weights are not shipped; "" for the model itself."""
        evaluation = self.evaluations.get(protocol)
        return (
            "" if evaluation is None or evaluation.is_shipped else str(evaluation.figures.get("model", "another run"))
        )

    def has_predictions(self, protocol: str) -> bool:
        """Return True if the answers for single images were kept, and not the figures alone."""
        evaluation = self.evaluations.get(protocol)
        return evaluation is not None and len(evaluation.sample) > 0

    def heading(self, protocol: str) -> str:
        """Return the name for charts and headings: of the model, or of the run whose weights are not shipped."""
        run = self.other_run(protocol)
        return f"{run} ({NOT_SHIPPED})" if run else self.card.name

    def latency(self, protocol: str) -> tuple[float | None, str]:
        """Return the median milliseconds of one image in an evaluation, and the engine; None if they are not known."""
        evaluation = self.evaluations.get(protocol)
        measured = {} if evaluation is None else evaluation.figures.get("latency") or {}
        return measured.get("median_ms"), str(measured.get("engine", ""))

    def timed_on(self, protocol: str) -> tuple[str, str]:
        """Return what the time of an evaluation depends on beside the model: engine and machine.

        Older evaluations do not name the machine; those of one day count as timed on the same one.
        """
        evaluation = self.evaluations.get(protocol)
        figures = {} if evaluation is None else evaluation.figures
        latency = figures.get("latency") or {}
        return str(latency.get("engine", "")), str(latency.get("machine") or figures.get("date", ""))

    def trained_under(self) -> str:
        """Return the protocol whose training images the model has seen; "" if the card does not say."""
        return str(self.card.details.get("training", {}).get("protocol", ""))

    def column(self, protocol: str) -> Column:
        """Return the figures under a protocol for a table."""
        return Column(
            self.card.name,
            self.measured_version(protocol),
            protocol,
            self.figures(protocol),
            run=self.other_run(protocol),
        )


def compared_models() -> list[ComparedModel]:
    """Return every model whose card can be read, the default of the installation first."""
    default = default_model()
    cards, _ = model_cards()
    loaded = _loaded_bytes()
    return [_compared(card, is_default=card.name == default, loaded=loaded) for card in cards]


def compared_model(name: str) -> ComparedModel | None:
    """Return one model; None if there is none of this name, or its card is damaged."""
    return next((model for model in compared_models() if model.card.name == name), None)


def protocols_of(models: Iterable[ComparedModel]) -> list[str]:
    """Return the protocols under which a model was evaluated, the main one first."""
    found = {protocol for model in models for protocol in model.evaluations}
    return sorted(found, key=lambda name: (name != MAIN_PROTOCOL, name))


def differences(base: ComparedModel, other: ComparedModel, *, protocol: str) -> tuple[Difference, ...]:
    """Return the paired differences of two models; empty without predictions of both under the protocol."""
    first, second = base.evaluations.get(protocol), other.evaluations.get(protocol)
    return () if first is None or second is None else differences_of(first, second)


def _compared(card: ModelCard, *, is_default: bool, loaded: dict[tuple[str, str], int]) -> ComparedModel:
    evaluations = read_evaluations(card.folder)
    evaluation = evaluations.get(MAIN_PROTOCOL) or next(iter(evaluations.values()), None)
    latency = {} if evaluation is None else evaluation.figures.get("latency") or {}
    bench = _bench(card)
    costs = Costs(
        parameters=_parameters(card),
        file_bytes=_file_bytes(card),
        evaluation_ms=latency.get("median_ms"),
        evaluation_engine=str(latency.get("engine", "")),
        bench_ms=bench.get("milliseconds"),
        bench_mebibytes=bench.get("mebibytes"),
        bench_engine=str(bench.get("engine", "")),
        bench_model=str(bench.get("model", "")),
        bench_date=str(bench.get("date", ""))[: len("YYYY-MM-DD")],
        worker_bytes=loaded.get((card.name, card.version)),
    )
    return ComparedModel(card, is_default, evaluations, costs)


def _file_bytes(card: ModelCard) -> int:
    """Return the size of the files that the model needs, those of an ensemble's members among them."""
    files = [card.weights] if card.ood is None else [card.weights, card.ood.statistics]
    # A member that is missing is told where the ensemble is loaded; here its size is not known.
    with suppress(ModelError):
        files += [load_card(card.folder.parent / each.name, verify=False).weights for each in _members(card)]
    return sum(file.bytes for file in files)


def _members(card: ModelCard) -> list[Member]:
    """Return the members of an ensemble; none if the model is not one, or its list of members is damaged."""
    if card.network != ENSEMBLE:
        return []
    try:
        return read_members(card.weights.path)
    except ModelError:
        return []


def _parameters(card: ModelCard) -> int | None:
    """Return what the card states, which an ensemble needs, or else count the numbers in the weights file."""
    if stated := card.details.get("architecture", {}).get("parameters"):
        return int(stated)
    path = card.weights.path
    return _counted(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=64)
def _counted(path: Path, modified_ns: int) -> int | None:
    """Count the numbers in a weights file; None if it is not such a file."""
    import h5py

    total = 0

    def add(_: str, item: Any) -> None:
        nonlocal total
        total += int(item.size) if isinstance(item, h5py.Dataset) else 0

    try:
        with h5py.File(path, "r") as file:
            file.visititems(add)
    except OSError:
        return None
    return total or None


def _bench(card: ModelCard) -> dict[str, Any]:
    """Return what `bench.engines` measured of a model's weights on its fastest engine; empty if it did not.

    Time and memory depend on the weights, not on the calibration. The file that an ensemble's card names as its weights
    holds the versions of the members and changes with their calibrations, so an ensemble is known by their weights.
    """
    members = [member.weights_sha256 for member in _members(card)]
    found: dict[str, Any] = {}
    for path in sorted(BENCH_RESULTS.glob("*.json")):
        content = _bench_file(path, path.stat().st_mtime_ns)
        same_weights = content.get("weights_sha256") == card.weights.sha256
        if not same_weights and not (members and content.get("member_weights_sha256") == members):
            continue
        for engine, result in (content.get("engines") or {}).items():
            median = (result.get("analysis") or {}).get("median")
            if engine in ENGINES and median is not None and median < found.get("milliseconds", float("inf")):
                memory = (result.get("memory_after") or result.get("memory_loaded") or {}).get("resident")
                found = {"milliseconds": median, "mebibytes": memory, "engine": engine}
                found |= {"model": content.get("model", ""), "date": content.get("date", "")}
    return found


@lru_cache(maxsize=64)
def _bench_file(path: Path, modified_ns: int) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _loaded_bytes() -> dict[tuple[str, str], int]:
    """Return the memory of each model version that a live worker has loaded."""
    return {
        (name, str(loaded.get("version", ""))): int(loaded.get("bytes", 0))
        for worker in live_workers()
        for name, loaded in worker.measurements.get("models", {}).items()
    }
