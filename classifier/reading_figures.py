"""Figures about readers, alone or combined. Works on plain data, for every layer."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from classifier.findings import ANSWERS, READINGS, Outcome
from classifier.reading_agreement import Agreement, Flips, Share, agreement, flips, reader_pairs

MIN_READERS = 2
"""Least number of readers for which a sum is shown, so that it is never the figure of a single one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The last review of an analysis by one reader.

    Attributes:
        case: The scan.
        reader: The reader.
        month: Month of the upload, "2026-11".
        answer: The network's finding, or its outcome if it names none.
        finding: The reader's finding, or the answer if they agree with one that names none.
    """

    case: Hashable
    reader: Hashable
    month: str
    answer: str
    finding: str


@dataclass(frozen=True, slots=True)
class FirstRead:
    """An impression from before the answer was opened.

    Attributes:
        case: The scan.
        reader: The reader.
        month: Month of the upload, "2026-11".
        before: The reader's finding before the answer.
        answer: The network's finding; "" if it names none, or if there is no answer.
        after: The finding of the reader's last review; None without a review, "" if it names none.
        diagnosis: The confirmed diagnosis; "" if there is none.
    """

    case: Hashable
    reader: Hashable
    month: str
    before: str
    answer: str = ""
    after: str | None = None
    diagnosis: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether there are a second judgment and a diagnosis."""
        return self.after is not None and self.diagnosis != ""


Row = TypeVar("Row", Reading, FirstRead)
Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """Agreement of reviews with the network in one part of the cases.

    Attributes:
        name: An answer, or a month.
        share: Reviews that agree; None if it is withheld.
    """

    name: str
    share: Share | None


@dataclass(frozen=True, slots=True)
class FlipsRow:
    """Flips in one part of the cases.

    Attributes:
        name: A diagnosis, or a month.
        flips: The counts; None if they are withheld.
    """

    name: str
    flips: Flips | None


@dataclass(frozen=True, slots=True)
class ReaderFigures:
    """Figures about one reader, or about several combined. A figure is None if it is withheld.

    Attributes:
        readers: Number of readers.
        reviews: Reviews compared with the network's answer, which the reader had seen.
        reviews_by_answer: The same for each answer.
        reviews_by_month: The same for each month.
        first_reads: First reads compared with the answer, which the reader had not seen.
        changed: Of the first reads with a second judgment, those with another finding after the answer.
        flips: How first reads changed where the diagnosis is known.
        flips_by_diagnosis: The same for each diagnosis.
        flips_by_month: The same for each month.
        between_reviews: Last reviews of the same scan by two readers.
        between_first_reads: First reads of the same scan by two readers.
    """

    readers: int
    reviews: Agreement | None
    reviews_by_answer: tuple[AgreementRow, ...]
    reviews_by_month: tuple[AgreementRow, ...]
    first_reads: Agreement | None
    changed: Share | None
    flips: Flips | None
    flips_by_diagnosis: tuple[FlipsRow, ...]
    flips_by_month: tuple[FlipsRow, ...]
    between_reviews: Agreement
    between_first_reads: Agreement


def reader_figures(
    readings: Sequence[Reading], first_reads: Sequence[FirstRead], *, min_readers: int = MIN_READERS
) -> ReaderFigures:
    """Return the figures of the given readings.

    Args:
        readings: In the order of the reviews.
        first_reads: In the order of the impressions.
        min_readers: A figure of fewer readers is withheld; 1 withholds nothing.
    """
    compared = [row for row in first_reads if row.answer]
    again = [row for row in first_reads if row.after]
    judged = [row for row in first_reads if row.is_judged]

    def allowed(rows: Iterable[Reading | FirstRead]) -> bool:
        # Without any reader, no one can be singled out.
        return len({row.reader for row in rows}) not in range(1, min_readers)

    return ReaderFigures(
        readers=len({row.reader for row in readings} | {row.reader for row in first_reads}),
        reviews=agreement((row.answer, row.finding) for row in readings) if allowed(readings) else None,
        reviews_by_answer=_agreement_rows(readings, lambda row: row.answer, _ANSWER_ORDER, min_readers),
        reviews_by_month=_agreement_rows(readings, lambda row: row.month, None, min_readers),
        first_reads=agreement((row.answer, row.before) for row in compared) if allowed(compared) else None,
        changed=Share(sum(row.after != row.before for row in again), len(again)) if allowed(again) else None,
        flips=_flips(judged) if allowed(judged) else None,
        flips_by_diagnosis=_flips_rows(judged, lambda row: row.diagnosis, READINGS, min_readers),
        flips_by_month=_flips_rows(judged, lambda row: row.month, None, min_readers),
        between_reviews=agreement(reader_pairs((row.case, row.reader, row.finding) for row in readings)),
        between_first_reads=agreement(reader_pairs((row.case, row.reader, row.before) for row in first_reads)),
    )


def shown(readers: Mapping[str, Iterable[Hashable]], *, min_readers: int) -> set[str]:
    """Return the names of the rows that may be shown beside their sum.

    A row of too few readers is withheld. If it is the only one, the row with the fewest readers is withheld with it:
    the sum without the other rows would reveal it.

    Args:
        readers: The reader of each case, for each row.
        min_readers: Least number of readers for which a row is shown.
    """
    counts = {name: len(set(of_row)) for name, of_row in readers.items()}
    kept = {name for name, count in counts.items() if count >= min_readers}
    if len(counts) - len(kept) == 1 and kept:
        kept.remove(min(kept, key=lambda name: (counts[name], name)))
    return kept


_ANSWER_ORDER = (*ANSWERS, Outcome.UNCERTAIN.value, Outcome.NOT_BRAIN_MRI.value)


def _agreement_rows(
    rows: Sequence[Reading], key: Callable[[Reading], str], order: Sequence[str] | None, min_readers: int
) -> tuple[AgreementRow, ...]:
    groups, kept = _groups(rows, key, order, min_readers)
    return tuple(
        AgreementRow(name, Share(sum(row.answer == row.finding for row in of), len(of)) if name in kept else None)
        for name, of in groups.items()
    )


def _flips_rows(
    rows: Sequence[FirstRead], key: Callable[[FirstRead], str], order: Sequence[str] | None, min_readers: int
) -> tuple[FlipsRow, ...]:
    groups, kept = _groups(rows, key, order, min_readers)
    return tuple(FlipsRow(name, _flips(of) if name in kept else None) for name, of in groups.items())


def _groups(
    rows: Sequence[Row], key: Callable[[Row], str], order: Sequence[str] | None, min_readers: int
) -> tuple[dict[str, list[Row]], set[str]]:
    """Return the rows by key, in `order` or sorted, and the keys that may be shown."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    ordered = {name: groups[name] for name in (order or sorted(groups)) if name in groups}
    kept = shown({name: [row.reader for row in of] for name, of in ordered.items()}, min_readers=min_readers)
    return ordered, kept


def _flips(rows: Iterable[FirstRead]) -> Flips:
    return flips((row.before, row.after or "", row.diagnosis) for row in rows)
