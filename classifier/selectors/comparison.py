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
from classifier.inference.engines.ensemble import read_members
from classifier.inference.registry import ModelCard, ModelError, load_card
from classifier.queue.state import live_workers
from classifier.selectors.model import default_model, model_cards

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
        worker_bytes: Growth of a live worker's memory when it loaded the model.
    """

    parameters: int | None
    file_bytes: int
    evaluation_ms: float | None
    evaluation_engine: str
    bench_ms: float | None
    bench_mebibytes: float | None
    bench_engine: str
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

    def latency(self, protocol: str) -> tuple[float | None, str]:
        """Return the median milliseconds of one image in an evaluation, and the engine; None if they are not known."""
        evaluation = self.evaluations.get(protocol)
        measured = {} if evaluation is None else evaluation.figures.get("latency") or {}
        return measured.get("median_ms"), str(measured.get("engine", ""))

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
    bench = _bench(card.weights.sha256)
    costs = Costs(
        parameters=_parameters(card),
        file_bytes=_file_bytes(card),
        evaluation_ms=latency.get("median_ms"),
        evaluation_engine=str(latency.get("engine", "")),
        bench_ms=bench.get("milliseconds"),
        bench_mebibytes=bench.get("mebibytes"),
        bench_engine=str(bench.get("engine", "")),
        worker_bytes=loaded.get((card.name, card.version)),
    )
    return ComparedModel(card, is_default, evaluations, costs)


def _file_bytes(card: ModelCard) -> int:
    """Return the size of the files that the model needs, those of an ensemble's members among them."""
    files = [card.weights] if card.ood is None else [card.weights, card.ood.statistics]
    if card.network == ENSEMBLE:
        # A member that is missing is told where the ensemble is loaded; here its size is not known.
        with suppress(ModelError):
            members = read_members(card.weights.path)
            files += [load_card(card.folder.parent / each.name, verify=False).weights for each in members]
    return sum(file.bytes for file in files)


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


def _bench(weights_sha256: str) -> dict[str, Any]:
    """Return what `make bench` measured of these weights on its fastest engine; empty if it did not."""
    found: dict[str, Any] = {}
    for path in sorted(BENCH_RESULTS.glob("*.json")):
        content = _bench_file(path, path.stat().st_mtime_ns)
        if content.get("weights_sha256") != weights_sha256:
            continue
        for engine, result in (content.get("engines") or {}).items():
            median = (result.get("analysis") or {}).get("median")
            if engine in ENGINES and median is not None and median < found.get("milliseconds", float("inf")):
                memory = (result.get("memory_after") or result.get("memory_loaded") or {}).get("resident")
                found = {"milliseconds": median, "mebibytes": memory, "engine": engine}
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
