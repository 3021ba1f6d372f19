"""Statistics of readings, scoped to a person.

A person sees their own figures, and those of a team only combined. A scan that is closed to the person (sealed first
read) counts nowhere, so no figure reveals a sealed answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from classifier.models import Team, User
from classifier.reading_agreement import Accuracy, accuracy
from classifier.reading_figures import FirstRead, ReaderFigures, reader_figures
from classifier.selectors.history import beginning_of, end_of
from classifier.selectors.lists.sample import Sample, sample_of_statements, sample_scans
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.reading_rows import (
    Answer,
    ReviewRow,
    Statement,
    confirmed_diagnoses,
    first_impressions,
    last_reviews,
    newest,
)

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


def _draw(scope: Scope, chosen: StatisticsFilter) -> _Drawn:
    """Draw the scans to count: all that match, or a random sample of many."""
    team = None if chosen.team is None else chosen.team.pk
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
    """Return the figures that `user` may see, in at most eleven queries.

    They count every scan of a small selection, and `MAX_SCANS` of a large one, drawn at random.
    """
    scope = scope_of(user)
    drawn = _draw(scope, chosen)
    reviews = last_reviews(scope, drawn.keys)
    impressions, answers = first_impressions(scope, drawn.keys)
    diagnoses, of_diagnosed = confirmed_diagnoses(scope, drawn.keys)
    answers |= of_diagnosed
    models = {row.answer.model for row in reviews} | {a.model for of_scan in answers.values() for a in of_scan}
    if chosen.model:
        reviews = [row for row in reviews if row.answer.model == chosen.model]
        kept = ((scan, [a for a in of_scan if a.model == chosen.model]) for scan, of_scan in answers.items())
        answers = {scan: of_scan for scan, of_scan in kept if of_scan}
        impressions = [row for row in impressions if row.scan in answers]
    first_reads = _FirstReads(reviews, answers, diagnoses)

    def figures(wanted: Callable[[Statement], bool], **options: int) -> ReaderFigures:
        return reader_figures(
            [row.as_reading() for row in reviews if wanted(row)],
            [first_reads.of(row) for row in impressions if wanted(row)],
            **options,
        )

    scans, own = drawn.scans, drawn.own
    has_team = chosen.team is not None or bool(scope.teams)
    diagnosed = [scan for scan in diagnoses if scan in scans.keys and answers.get(scan)]
    return Statistics(
        models=tuple(sorted(models)),
        own=figures(lambda row: row.reader == user.pk and row.scan in own.keys, min_readers=1),
        team=figures(lambda row: row.team is not None and row.scan in scans.keys) if has_team else None,
        accuracy=accuracy((newest(answers[scan]).named, diagnoses[scan]) for scan in diagnosed),
        sampled_scans=None if scans.complete else len(scans.keys),
        sampled_own_scans=None if own.complete else len(own.keys),
    )


class _FirstReads:
    """Completes impressions with the answers, the later reviews, and the diagnoses of their scans."""

    def __init__(
        self, reviews: Iterable[ReviewRow], answers: dict[str, list[Answer]], diagnoses: dict[str, str]
    ) -> None:
        self._reviews = {(row.scan, row.reader): row for row in reviews}  # The last review of a scan counts.
        self._answers = answers
        self._diagnoses = diagnoses

    def of(self, row: Statement) -> FirstRead:
        """Return an impression as plain data."""
        review = self._reviews.get((row.scan, row.reader))
        answers = self._answers.get(row.scan)
        answer = review.answer.named if review else newest(answers).named if answers else ""
        return FirstRead(
            case=row.scan,
            reader=row.reader,
            month=row.month,
            before=row.finding,
            answer=answer,
            after=None if review is None else review.finding,
            diagnosis=self._diagnoses.get(row.scan, ""),
        )
