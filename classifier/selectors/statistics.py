"""Statistics of readings, scoped to a person.

A person sees their own figures, and those of a team only in sum. A scan that is closed to the person (sealed first
read) counts nowhere, so no figure tells a sealed answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Diagnosis, Impression, Review, Team, User
from classifier.reading_agreement import Accuracy, accuracy
from classifier.reading_figures import FirstRead, ReaderFigures, Reading, reader_figures
from classifier.selectors.scan import open_rows


@dataclass(frozen=True, slots=True)
class StatisticsFilter:
    """The scans that the statistics count.

    Attributes:
        team: Scans of this team, one of the person's own; None for all visible scans.
        uploaded_after: Earliest day of the upload, inclusive.
        uploaded_before: Latest day of the upload, inclusive.
        model: Answers of this model version, "name:version". "" counts the newest answer of a scan.
    """

    team: Team | None = None
    uploaded_after: date | None = None
    uploaded_before: date | None = None
    model: str = ""

    def condition(self) -> Q:
        """Return the condition on a statement about a scan. The model version is not part of it."""
        condition = Q()
        if self.team is not None:
            condition &= Q(scan__team=self.team)
        if self.uploaded_after is not None:
            condition &= Q(scan__created_at__date__gte=self.uploaded_after)
        if self.uploaded_before is not None:
            condition &= Q(scan__created_at__date__lte=self.uploaded_before)
        return condition


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures that one person may see.

    Attributes:
        models: The model versions that occur, "name:version".
        own: The person's own figures.
        team: The sum of all readers of the chosen team, or of all the person's teams; None without a team.
        accuracy: The network's answers compared with confirmed diagnoses.
    """

    models: tuple[str, ...]
    own: ReaderFigures
    team: ReaderFigures | None
    accuracy: Accuracy


def statistics(user: User, chosen: StatisticsFilter) -> Statistics:
    """Return the figures that `user` may see, in four queries."""
    reviews = _reviews(user, chosen)
    impressions, answers = _impressions(user, chosen)
    diagnoses, of_diagnosed = _diagnoses(user, chosen)
    answers |= of_diagnosed
    models = {row.answer.model for row in reviews} | {a.model for of_scan in answers.values() for a in of_scan}
    if chosen.model:
        reviews = [row for row in reviews if row.answer.model == chosen.model]
        kept = ((scan, [a for a in of_scan if a.model == chosen.model]) for scan, of_scan in answers.items())
        answers = {scan: of_scan for scan, of_scan in kept if of_scan}
        impressions = [row for row in impressions if row.scan in answers]
    first_reads = _FirstReads(reviews, answers, diagnoses)

    def figures(wanted: Callable[[_Statement], bool], **options: int) -> ReaderFigures:
        return reader_figures(
            [row.as_reading() for row in reviews if wanted(row)],
            [first_reads.of(row) for row in impressions if wanted(row)],
            **options,
        )

    has_team = chosen.team is not None or user.memberships.exists()
    return Statistics(
        models=tuple(sorted(models)),
        own=figures(lambda row: row.reader == user.pk, min_readers=1),
        team=figures(lambda row: row.team is not None) if has_team else None,
        accuracy=accuracy((_newest(answers[scan]).named, diagnoses[scan]) for scan in diagnoses if answers.get(scan)),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """A result of the network.

    Attributes:
        model: "name:version".
        said: The finding, or the outcome if the answer names none.
        at: When the analysis ended.
    """

    model: str
    said: str
    at: datetime

    @property
    def named(self) -> str:
        """The finding; "" if the answer names none."""
        return "" if self.said in (Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI) else self.said


@dataclass(frozen=True, slots=True)
class _Statement:
    """What one reader said about one scan."""

    scan: UUID
    reader: int
    finding: str
    uploaded_at: datetime
    team: int | None

    @property
    def month(self) -> str:
        """The month of the upload in the reader's time zone."""
        return f"{timezone.localtime(self.uploaded_at):%Y-%m}"


@dataclass(frozen=True, slots=True)
class _Review(_Statement):
    """The last review of an analysis by one reader."""

    answer: _Answer

    def as_reading(self) -> Reading:
        """Return the review as plain data."""
        answer = self.answer.said
        return Reading(self.scan, self.reader, self.month, answer=answer, finding=self.finding or answer)


class _FirstReads:
    """Completes impressions with the answers, the later reviews, and the diagnoses of their scans."""

    def __init__(
        self, reviews: Iterable[_Review], answers: dict[UUID, list[_Answer]], diagnoses: dict[UUID, str]
    ) -> None:
        self._reviews = {(row.scan, row.reader): row for row in reviews}  # The last review of a scan holds.
        self._answers = answers
        self._diagnoses = diagnoses

    def of(self, row: _Statement) -> FirstRead:
        """Return an impression as plain data."""
        review = self._reviews.get((row.scan, row.reader))
        answers = self._answers.get(row.scan)
        answer = review.answer.named if review else _newest(answers).named if answers else ""
        return FirstRead(
            case=row.scan,
            reader=row.reader,
            month=row.month,
            before=row.finding,
            answer=answer,
            after=None if review is None else review.finding,
            diagnosis=self._diagnoses.get(row.scan, ""),
        )


_OF_SCAN = ("scan_id", "finding", "scan__created_at", "scan__team_id")
_OF_ANALYSIS = ("state", "outcome", "finding", "model_name", "model_version", "finished_at")


def _reviews(user: User, chosen: StatisticsFilter) -> list[_Review]:
    """Return the last review of each analysis by each reader, oldest first."""
    later = Review.objects.filter(
        analysis=OuterRef("analysis"), reviewer=OuterRef("reviewer"), number__gt=OuterRef("number")
    )
    rows = open_rows(Review.objects.all(), user).filter(chosen.condition()).filter(~Exists(later))
    rows = rows.order_by("created_at", "pk")
    columns = ("reviewer_id", *_OF_SCAN, *(f"analysis__{name}" for name in _OF_ANALYSIS))
    found = []
    for reader, scan, finding, uploaded_at, team, *analysis in rows.values_list(*columns):
        answer = _answer(analysis)
        if answer is not None:
            found.append(_Review(scan, reader, finding, uploaded_at, team, answer))
    return found


def _impressions(user: User, chosen: StatisticsFilter) -> tuple[list[_Statement], dict[UUID, list[_Answer]]]:
    """Return the impressions, oldest first, and the answers about their scans."""
    rows = open_rows(Impression.objects.all(), user).filter(chosen.condition()).order_by("created_at", "pk")
    columns = ("pk", "reader_id", *_OF_SCAN, *(f"scan__analyses__{name}" for name in _OF_ANALYSIS))
    found: dict[UUID, _Statement] = {}
    answers: dict[UUID, set[_Answer]] = {}
    for pk, reader, scan, finding, uploaded_at, team, *analysis in rows.values_list(*columns):
        found[pk] = _Statement(scan, reader, finding, uploaded_at, team)
        _collect(answers, scan, analysis)
    return list(found.values()), {scan: list(of_scan) for scan, of_scan in answers.items()}


def _diagnoses(user: User, chosen: StatisticsFilter) -> tuple[dict[UUID, str], dict[UUID, list[_Answer]]]:
    """Return the confirmed diagnosis of each scan, and the answers about these scans.

    The newest diagnosis of a scan holds. It counts if histology or follow-up imaging confirmed it.
    """
    rows = open_rows(Diagnosis.objects.all(), user).filter(chosen.condition()).order_by("created_at", "pk")
    columns = ("scan_id", "finding", "source", *(f"scan__analyses__{name}" for name in _OF_ANALYSIS))
    newest: dict[UUID, tuple[str, str]] = {}
    answers: dict[UUID, set[_Answer]] = {}
    for scan, finding, source, *analysis in rows.values_list(*columns):
        newest[scan] = (finding, source)
        _collect(answers, scan, analysis)
    confirmed = {scan: finding for scan, (finding, source) in newest.items() if source in Diagnosis.CERTAIN}
    return confirmed, {scan: list(of_scan) for scan, of_scan in answers.items()}


def _answer(analysis: list[Any]) -> _Answer | None:
    """Return what an analysis says, from its columns `_OF_ANALYSIS`; None without a result."""
    state, outcome, finding, name, version, finished_at = analysis
    if state != Analysis.State.SUCCEEDED:
        return None
    return _Answer(f"{name}:{version}", finding or outcome, finished_at)


def _collect(answers: dict[UUID, set[_Answer]], scan: UUID, analysis: list[Any]) -> None:
    answer = _answer(analysis)
    if answer is not None:
        answers.setdefault(scan, set()).add(answer)


def _newest(answers: Iterable[_Answer]) -> _Answer:
    return max(answers, key=lambda answer: (answer.at, answer.model))
