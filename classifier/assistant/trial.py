"""Try a provider on images outside the database: explanation and check of each, and the figures of all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifier.assistant.allowlist import context_of
from classifier.assistant.builtin import Facts
from classifier.assistant.explaining import explain
from classifier.assistant.failures import ProviderFailed
from classifier.assistant.look import look_again
from classifier.assistant.place import evidence_place
from classifier.assistant_figures import Entry
from classifier.findings import FINDINGS
from classifier.inference.registry import ModelCard
from classifier.inference.saliency import class_evidence
from classifier.intake import CanonicalImage
from classifier.models import Analysis
from classifier.selectors.model_figures import model_limits, result_figures
from classifier.services.assistant import Connection

HOPELESS = ("authentication", "not_found", "unreachable", "quota")
"""Failures that the next image would meet as well."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a provider for one image.

    Attributes:
        name: name of the image.
        entry: for the figures.
        row: the same for people and programs: `image`, `seconds`, `tokens`, `removed`, `statements`, `error`, `code`.
    """

    name: str
    entry: Entry
    row: Mapping[str, Any]


def facts_of_result(result: Any, card: ModelCard) -> Facts:
    """Return the facts of a network's result that is not stored.

    Args:
        result: as `classifier.inference.analyzer.Analyzer.analyze` returns it for one image.
        card: of the network.
    """
    decision = result.decision
    analysis = Analysis(
        state=Analysis.State.SUCCEEDED,
        outcome=str(decision.outcome),
        finding=decision.finding or "",
        probabilities=None if decision.probabilities is None else [float(value) for value in decision.probabilities],
        possible_findings=list(decision.possible),
        confidence=None if decision.confidence is None else float(decision.confidence),
        answer_rule=decision.rule,
        model_name=card.name,
        model_version=card.version,
    )
    shown = analysis.saliency_finding
    place = None
    if shown:
        place = evidence_place(class_evidence(result.class_maps, FINDINGS.index(shown), scale=card.saliency))
    return Facts(
        result=analysis,
        shown=shown,
        place=place,
        figures=result_figures(card, analysis),
        limits=model_limits(card),
        model=f"{card.name} {card.version}",
    )


def try_images(
    connection: Connection, images: Sequence[tuple[Path, CanonicalImage]], *, analyzer: Any
) -> Iterator[Tried]:
    """Explain each image and check the statements about it, as a person's request would.

    Args:
        connection: the provider.
        images: path and pixels of each.
        analyzer: the network.

    Raises:
        ProviderFailed: if the first request fails in a way that the others would fail in, too.
    """
    for number, (path, image) in enumerate(images):
        facts = facts_of_result(analyzer.analyze([image.pixels])[0], analyzer.card)
        try:
            yield _tried(connection, path.name, image.png, facts)
        except ProviderFailed as failure:
            if not number and failure.code in HOPELESS:
                raise
            row = {"image": path.name, "error": str(failure), "code": failure.code}
            yield Tried(path.name, Entry(failed=True), row)


def _tried(connection: Connection, name: str, png: bytes, facts: Facts) -> Tried:
    context = context_of(facts)
    explained = explain(connection, facts=facts, context=context, image=png)
    seconds = explained.answer.seconds
    tokens = explained.answer.input_tokens + explained.answer.output_tokens
    look = None
    if explained.statements:
        look = look_again(connection, statements=explained.statements, context=context, image=png)
        seconds += look.seconds
        tokens += look.input_tokens + look.output_tokens
    judgments = look.judgments if look else []
    failures = look.failures if look else []
    entry = Entry(
        # Nothing was left, and nothing was removed: the answer was empty.
        failed=not explained.parts and not explained.blocked,
        blocked=explained.blocked,
        marks=[(each.mark, each.reason) for each in judgments],
        check_failed=bool(failures),
        seconds=seconds,
        tokens=tokens,
    )
    row = {
        "image": name,
        "seconds": round(seconds, 2),
        "tokens": tokens,
        "removed": explained.blocked,
        "statements": [asdict(each) for each in judgments],
        "error": " ".join(failures),
        "code": "check" if failures else "",
    }
    return Tried(name, entry, row)
