"""Read what people said about scans, as plain rows for statistics.

Rows of scans that are closed to the person (sealed first read) are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Diagnosis
from classifier.reading_figures import Reading
from classifier.selectors.lists import conditions
from classifier.selectors.lists.sample import looked_up
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, fetch, moment


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


def last_reviews(scope: Scope, keys: Iterable[str]) -> list[ReviewRow]:
    """Return the last review of each analysis of some scans by each reader, oldest first."""
    later = (
        "SELECT 1 FROM classifier_review l WHERE l.analysis_id = r.analysis_id AND l.reviewer_id = r.reviewer_id "
        "AND l.number > r.number"
    )
    rows = _rows(
        f"r.reviewer_id, CAST(r.scan_id AS text), {_OF_SCAN}",
        "classifier_review",
        "JOIN classifier_analysis a ON a.id = r.analysis_id",
        scope,
        keys,
        also=f"NOT EXISTS ({later})",
    )
    found, zone = [], timezone.get_current_timezone()
    for _, _, reader, scan, finding, uploaded_at, team, *analysis in rows:
        answer = _answer(analysis)
        if answer is not None:
            found.append(ReviewRow(scan, reader, finding, _month(uploaded_at, zone), team, answer))
    return found


def first_impressions(scope: Scope, keys: Iterable[str]) -> tuple[list[Statement], dict[str, list[Answer]]]:
    """Return the impressions of some scans, oldest first, and the answers about these scans."""
    columns = f"r.reader_id, CAST(r.scan_id AS text), {_OF_SCAN}"
    found: dict[str, Statement] = {}
    zone = timezone.get_current_timezone()
    answers: dict[str, set[Answer]] = {}
    rows = _rows(columns, "classifier_impression", _ALL_ANSWERS, scope, keys)
    for _, pk, reader, scan, finding, uploaded_at, team, *analysis in rows:
        found[pk] = Statement(scan, reader, finding, _month(uploaded_at, zone), team)
        _collect(answers, scan, analysis)
    return list(found.values()), {scan: list(of_scan) for scan, of_scan in answers.items()}


def confirmed_diagnoses(scope: Scope, keys: Iterable[str]) -> tuple[dict[str, str], dict[str, list[Answer]]]:
    """Return the confirmed diagnosis of each of some scans, and the answers about those that have one.

    The newest diagnosis of a scan counts. It counts if histology or follow-up imaging confirmed it.
    """
    newest: dict[str, tuple[str, str]] = {}
    answers: dict[str, set[Answer]] = {}
    columns = "CAST(r.scan_id AS text), r.finding, r.source"
    for _, _, scan, finding, source, *analysis in _rows(columns, "classifier_diagnosis", _ALL_ANSWERS, scope, keys):
        newest[scan] = (finding, source)
        _collect(answers, scan, analysis)
    confirmed = {scan: finding for scan, (finding, source) in newest.items() if source in Diagnosis.CERTAIN}
    return confirmed, {scan: list(of_scan) for scan, of_scan in answers.items()}


_OF_SCAN = "r.finding, s.created_at, s.team_id"
_OF_ANALYSIS = "a.state, a.outcome, a.finding, a.model_name, a.model_version, a.finished_at"
"""The columns that `_answer` reads."""
_ALL_ANSWERS = "LEFT JOIN classifier_analysis a ON a.scan_id = s.id AND a.commissioning_id IS NULL"


def _rows(
    columns: str, table: str, join: str, scope: Scope, keys: Iterable[str], *, also: str = "TRUE"
) -> list[tuple[Any, ...]]:
    """Return time, key, and columns of statements `r` about open scans `s`, and of analyses `a`; oldest first.

    The statements are those about some scans. With an order, SQLite would read those about every scan.
    """
    values = Values()
    scans = looked_up(table, "r", "scan_id", keys, values)
    sql = (
        f"SELECT r.created_at, CAST(r.id AS text), {columns}, {_OF_ANALYSIS} FROM {scans} "
        f"JOIN classifier_scan s ON s.id = r.scan_id {join} WHERE {also} AND {conditions.in_figures(scope, values)}"
    )
    return sorted(fetch(sql, values), key=lambda row: row[:2])


def _month(at: datetime | str, zone: tzinfo) -> str:
    local = moment(at).astimezone(zone)
    return f"{local.year}-{local.month:02}"


def _answer(analysis: list[Any]) -> Answer | None:
    """Return what an analysis says, from the columns of `_OF_ANALYSIS`; None without a result."""
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
