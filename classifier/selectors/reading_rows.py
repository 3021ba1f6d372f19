"""Read what people said about scans, as plain rows for statistics.

Rows of scans that are closed to the person (sealed first read) are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from django.db.models import Exists, ExpressionWrapper, F, Field, Model, OuterRef, QuerySet
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Diagnosis, Impression, Review, User
from classifier.reading_figures import Reading
from classifier.selectors.lists.sample import among, as_text
from classifier.selectors.scan import open_rows

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Answer:
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
class Statement:
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
class ReviewRow(Statement):
    """The last review of an analysis by one reader."""

    answer: Answer

    def as_reading(self) -> Reading:
        """Return the review as plain data."""
        answer = self.answer.said
        return Reading(self.scan, self.reader, self.month, answer=answer, finding=self.finding or answer)


def _stored(column: str) -> ExpressionWrapper[Any]:
    """Return a column as the database has it. SQLite has times as text in their order, which is all they are for."""
    return ExpressionWrapper(F(column), output_field=Field())


_ORDER = (_stored("created_at"), as_text("pk"))
_OF_SCAN = ("finding", "scan__created_at", "scan__team_id")


def _of_analyses(path: str) -> tuple[Any, ...]:
    """Return the columns of the analyses at a path that `_answer` reads."""
    names = ("state", "outcome", "finding", "model_name", "model_version")
    return (*(f"{path}__{name}" for name in names), _stored(f"{path}__finished_at"))


def last_reviews(user: User, keys: Iterable[str]) -> list[ReviewRow]:
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
            found.append(ReviewRow(scan, reader, finding, _month(uploaded_at, zone), team, answer))
    return found


def first_impressions(user: User, keys: Iterable[str]) -> tuple[list[Statement], dict[str, list[Answer]]]:
    """Return the impressions of some scans, oldest first, and the answers about these scans."""
    rows = open_rows(Impression.objects.filter(scan__in=among(keys)), user)
    columns = (*_ORDER, "reader_id", as_text("scan_id"), *_OF_SCAN, *_of_analyses("scan__analyses"))
    found: dict[str, Statement] = {}
    zone = timezone.get_current_timezone()
    answers: dict[str, set[Answer]] = {}
    for _, pk, reader, scan, finding, uploaded_at, team, *analysis in _oldest_first(rows, columns):
        found[pk] = Statement(scan, reader, finding, _month(uploaded_at, zone), team)
        _collect(answers, scan, analysis)
    return list(found.values()), {scan: list(of_scan) for scan, of_scan in answers.items()}


def confirmed_diagnoses(user: User, keys: Iterable[str]) -> tuple[dict[str, str], dict[str, list[Answer]]]:
    """Return the confirmed diagnosis of each of some scans, and the answers about those that have one.

    The newest diagnosis of a scan counts. It counts if histology or follow-up imaging confirmed it.
    """
    rows = open_rows(Diagnosis.objects.filter(scan__in=among(keys)), user)
    columns = (*_ORDER, as_text("scan_id"), "finding", "source", *_of_analyses("scan__analyses"))
    newest: dict[str, tuple[str, str]] = {}
    answers: dict[str, set[Answer]] = {}
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


def _answer(analysis: list[Any]) -> Answer | None:
    """Return what an analysis says, from the columns of `_of_analyses`; None without a result."""
    state, outcome, finding, name, version, finished_at = analysis
    if state != Analysis.State.SUCCEEDED:
        return None
    return Answer(f"{name}:{version}", finding or outcome, finished_at)


def _collect(answers: dict[str, set[Answer]], scan: str, analysis: list[Any]) -> None:
    answer = _answer(analysis)
    if answer is not None:
        answers.setdefault(scan, set()).add(answer)


def newest(answers: Iterable[Answer]) -> Answer:
    """Return the newest of some answers."""
    return max(answers, key=lambda answer: (answer.at, answer.model))
