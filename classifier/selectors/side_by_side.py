"""The newest analysis of each model on one scan, side by side."""

from collections.abc import Iterable
from dataclasses import dataclass

from classifier.agreement import Agreement, agreement, agreement_sentence
from classifier.inference.registry import ModelCard
from classifier.models import Analysis, Scan, User
from classifier.selectors.model import model_cards
from classifier.selectors.scan import scan_analyses


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The answers of several models for one scan.

    Attributes:
        analyses: The newest analysis of each model, that of the current analysis first. A failed or canceled one stands
            here only if the model has no other.
        agreement: How far the answers agree; None while fewer than two models have one, or the result is closed.
        sentence: The same in words; "" for None.
        missing: Installed models that have not analyzed the scan in their present version.
    """

    analyses: tuple[Analysis, ...]
    agreement: Agreement | None
    sentence: str
    missing: tuple[str, ...]

    @property
    def is_active(self) -> bool:
        """Whether an analysis is queued or running."""
        return any(not analysis.is_finished for analysis in self.analyses)

    @property
    def has_answer(self) -> bool:
        """Whether any of the analyses succeeded."""
        return any(analysis.state == Analysis.State.SUCCEEDED for analysis in self.analyses)

    @property
    def state(self) -> str:
        """A value that changes with the analyses, by which a page knows whether it is up to date."""
        return "-".join(f"{str(analysis.pk)[:8]}.{analysis.state}" for analysis in self.analyses)


def side_by_side(user: User, scan: Scan, *, analyses: Iterable[Analysis] | None = None) -> SideBySide:
    """Return what each model says of a visible scan. Closed results stay closed to `user`.

    Args:
        user: The reader.
        scan: The scan, as loaded for the reader.
        analyses: Its analyses as `scan_analyses` returns them; None reads them.
    """
    rows = list(scan_analyses(user, scan) if analyses is None else analyses)
    newest: dict[str, Analysis] = {}
    for row in rows:
        known = newest.get(row.model_name)
        if known is None or (_is_lost(known) and not _is_lost(row)):
            newest[row.model_name] = row
    current = scan.current_analysis
    if current is not None and current.model_name in newest:
        newest[current.model_name] = next((row for row in rows if row.pk == current.pk), current)
    ordered = sorted(newest.values(), key=lambda row: (row.pk != scan.current_analysis_id, row.model_name))
    results = {row.model_name: row for row in ordered}
    cards, _ = model_cards()
    hidden = scan.closed or any(row.withheld for row in ordered)
    return SideBySide(
        analyses=tuple(ordered),
        agreement=None if hidden else agreement(results),
        sentence="" if hidden else agreement_sentence(results),
        missing=tuple(card.name for card in cards if _is_missing(card, rows)),
    )


def _is_lost(analysis: Analysis) -> bool:
    return analysis.state in (Analysis.State.FAILED, Analysis.State.CANCELLED)


def _is_missing(card: ModelCard, rows: Iterable[Analysis]) -> bool:
    """Return True unless the model's present version has analyzed the scan, or is about to."""
    return not any(
        row.model_name == card.name
        and (not row.is_finished or (row.state == Analysis.State.SUCCEEDED and row.model_version == card.version))
        for row in rows
    )
