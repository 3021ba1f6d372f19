"""Statistics of readings, scoped to a person.

A person sees their own figures, and those of a team only in sum. A scan that is closed to the person (sealed first
read) counts nowhere, so no figure tells a sealed answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, TypeVar

from django.db.models import Exists, ExpressionWrapper, F, Field, Model, OuterRef, QuerySet
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Diagnosis, Impression, Review, Team, User
from classifier.reading_agreement import Accuracy, accuracy
from classifier.reading_figures import FirstRead, ReaderFigures, Reading, reader_figures
from classifier.selectors.history import beginning_of, end_of
from classifier.selectors.lists.sample import Sample, among, as_text, sample_of_statements, sample_scans
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.scan import open_rows

Row = TypeVar("Row", bound=Model)

MAX_SCANS = 750
"""Scans that are counted. A fifth of them has been reviewed in a busy department: a share of 90%
is then known to within 5 percentage points."""

MAX_OWN_SCANS = 200
"""Scans that the person has read, which are counted."""


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


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures that one person may see.

    Attributes:
        models: The model versions that occur, "name:version".
        own: The person's own figures.
        team: The sum of all readers of the chosen team, or of all the person's teams; None without a team.
        accuracy: The network's answers compared with confirmed diagnoses.
        sampled_scans: Number of scans, drawn at random, that `team` and `accuracy` count; None if all were counted.
        sampled_own_scans: The same for `own`: scans that the person has read.
    """

    models: tuple[str, ...]
    own: ReaderFigures
    team: ReaderFigures | None
    accuracy: Accuracy
    sampled_scans: int | None = None
    sampled_own_scans: int | None = None


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The scans that are counted.

    Attributes:
        scans: Of all that match.
        own: Of those that the person has read.
    """

    scans: Sample
    own: Sample

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return self.scans.keys | self.own.keys


def _draw(user: User, chosen: StatisticsFilter) -> _Drawn:
    """Draw the scans to count: all that match, or a random sample of many."""
    scope, team = scope_of(user), None if chosen.team is None else chosen.team.pk
    since, until = beginning_of(chosen.uploaded_after), end_of(chosen.uploaded_before)
    scans = sample_scans(scope, size=MAX_SCANS, team=team, since=since, until=until)
    if scans.complete:
        return _Drawn(scans, scans)
    found = [
        sample_of_statements(table, reader, scope, size=MAX_OWN_SCANS, team=team, since=since, until=until)
        for table, reader in (("classifier_review", "reviewer_id"), ("classifier_impression", "reader_id"))
    ]
    keys = sorted(frozenset[str]().union(*(sample.keys for sample in found)))[:MAX_OWN_SCANS]
    complete = all(sample.complete for sample in found) and len(keys) < MAX_OWN_SCANS
    return _Drawn(scans, Sample(frozenset(keys), complete))


def statistics(user: User, chosen: StatisticsFilter) -> Statistics:
    """Return the figures that `user` may see, in at most twelve queries.

    They count every scan of a small selection, and `MAX_SCANS` of a large one, drawn at random.
    """
    drawn = _draw(user, chosen)
    reviews = _reviews(user, drawn.keys)
    impressions, answers = _impressions(user, drawn.keys)
    diagnoses, of_diagnosed = _diagnoses(user, drawn.keys)
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

    scans, own = drawn.scans, drawn.own
    has_team = chosen.team is not None or user.memberships.exists()
    diagnosed = [scan for scan in diagnoses if scan in scans.keys and answers.get(scan)]
    return Statistics(
        models=tuple(sorted(models)),
        own=figures(lambda row: row.reader == user.pk and row.scan in own.keys, min_readers=1),
        team=figures(lambda row: row.team is not None and row.scan in scans.keys) if has_team else None,
        accuracy=accuracy((_newest(answers[scan]).named, diagnoses[scan]) for scan in diagnosed),
        sampled_scans=None if scans.complete else len(scans.keys),
        sampled_own_scans=None if own.complete else len(own.keys),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """A result of the network.

    Attributes:
        model: "name:version".
        said: The finding, or the outcome if the answer names none.
        at: When the analysis ended, as the database has it: to order answers.
    """

    model: str
    said: str
    at: Any

    @property
    def named(self) -> str:
        """The finding; "" if the answer names none."""
        return "" if self.said in (Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI) else self.said


@dataclass(frozen=True, slots=True)
class _Statement:
    """One reader's readings of one scan.

    Attributes:
        scan: The scan.
        reader: Who said it.
        finding: What was said.
        month: The month of the upload in the reader's time zone.
        team: The scan's team.
    """

    scan: str
    reader: int
    finding: str
    month: str
    team: int | None


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
        self, reviews: Iterable[_Review], answers: dict[str, list[_Answer]], diagnoses: dict[str, str]
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


def _stored(column: str) -> ExpressionWrapper[Any]:
    """Return a column as the database has it. SQLite has times as text in their order, which is all they are for."""
    return ExpressionWrapper(F(column), output_field=Field())


_ORDER = (_stored("created_at"), as_text("pk"))
_OF_SCAN = ("finding", "scan__created_at", "scan__team_id")


def _of_analyses(path: str) -> tuple[Any, ...]:
    """Return the columns of the analyses at a path that `_answer` reads."""
    names = ("state", "outcome", "finding", "model_name", "model_version")
    return (*(f"{path}__{name}" for name in names), _stored(f"{path}__finished_at"))


def _reviews(user: User, keys: Iterable[str]) -> list[_Review]:
    """Return the last review of each analysis of some scans by each reader, oldest first."""
    later = Review.objects.filter(
        analysis=OuterRef("analysis"), reviewer=OuterRef("reviewer"), number__gt=OuterRef("number")
    )
    rows = open_rows(Review.objects.filter(scan__in=among(keys)), user).filter(~Exists(later))
    columns = (*_ORDER, "reviewer_id", as_text("scan_id"), *_OF_SCAN, *_of_analyses("analysis"))
    found, zone = [], timezone.get_current_timezone()
    for _, _, reader, scan, finding, uploaded_at, team, *analysis in _oldest_first(rows, columns):
        answer = _answer(analysis)
        if answer is not None:
            found.append(_Review(scan, reader, finding, _month(uploaded_at, zone), team, answer))
    return found


def _impressions(user: User, keys: Iterable[str]) -> tuple[list[_Statement], dict[str, list[_Answer]]]:
    """Return the impressions of some scans, oldest first, and the answers about these scans."""
    rows = open_rows(Impression.objects.filter(scan__in=among(keys)), user)
    columns = (*_ORDER, "reader_id", as_text("scan_id"), *_OF_SCAN, *_of_analyses("scan__analyses"))
    found: dict[str, _Statement] = {}
    zone = timezone.get_current_timezone()
    answers: dict[str, set[_Answer]] = {}
    for _, pk, reader, scan, finding, uploaded_at, team, *analysis in _oldest_first(rows, columns):
        found[pk] = _Statement(scan, reader, finding, _month(uploaded_at, zone), team)
        _collect(answers, scan, analysis)
    return list(found.values()), {scan: list(of_scan) for scan, of_scan in answers.items()}


def _diagnoses(user: User, keys: Iterable[str]) -> tuple[dict[str, str], dict[str, list[_Answer]]]:
    """Return the confirmed diagnosis of each of some scans, and the answers about those that have one.

    The newest diagnosis of a scan holds. It counts if histology or follow-up imaging confirmed it.
    """
    rows = open_rows(Diagnosis.objects.filter(scan__in=among(keys)), user)
    columns = (*_ORDER, as_text("scan_id"), "finding", "source", *_of_analyses("scan__analyses"))
    newest: dict[str, tuple[str, str]] = {}
    answers: dict[str, set[_Answer]] = {}
    for _, _, scan, finding, source, *analysis in _oldest_first(rows, columns):
        newest[scan] = (finding, source)
        _collect(answers, scan, analysis)
    confirmed = {scan: finding for scan, (finding, source) in newest.items() if source in Diagnosis.CERTAIN}
    return confirmed, {scan: list(of_scan) for scan, of_scan in answers.items()}


def _oldest_first(rows: QuerySet[Row], columns: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return columns of rows, the first two of which are their order. With an order SQLite would read every scan."""
    return sorted(rows.order_by().values_list(*columns), key=lambda row: row[:2])


def _month(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local.year}-{local.month:02}"


def _answer(analysis: list[Any]) -> _Answer | None:
    """Return what an analysis says, from the columns of `_of_analyses`; None without a result."""
    state, outcome, finding, name, version, finished_at = analysis
    if state != Analysis.State.SUCCEEDED:
        return None
    return _Answer(f"{name}:{version}", finding or outcome, finished_at)


def _collect(answers: dict[str, set[_Answer]], scan: str, analysis: list[Any]) -> None:
    answer = _answer(analysis)
    if answer is not None:
        answers.setdefault(scan, set()).add(answer)


def _newest(answers: Iterable[_Answer]) -> _Answer:
    return max(answers, key=lambda answer: (answer.at, answer.model))
