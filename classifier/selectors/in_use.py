"""How the models behave in use: what each version answered, whether reviews agree, and how its input drifts.

Only scans that are visible and open to the reader count: a figure over closed results would reveal them.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from django.utils import timezone

from classifier.comparison.drift import Shift, shifts
from classifier.findings import Outcome
from classifier.inference.ood import OodDetector
from classifier.inference.registry import ModelError, OodCard
from classifier.models import Review, User
from classifier.selectors.lists import conditions
from classifier.selectors.lists.sample import looked_up, sample_scans
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.lists.sql import Values, fetch
from classifier.selectors.model import model_card
from classifier.selectors.site_drift import SiteDrift, site_drifts, week_of

WEEKS = 12
"""A quarter shows a trend, and the page stays readable."""

MAX_SCANS = 800
"""Scans that are counted: of more, a random sample. It tells a share of 5% to within 1.5 percentage points."""

Version = tuple[str, str]
Week = tuple[str, str, date]


@dataclass(frozen=True, slots=True)
class Period:
    """The analyses of one version in one week, or in all weeks.

    Attributes:
        start: First day of the week.
        analyses: Number of succeeded analyses.
        uncertain: How many of them were uncertain.
        refused: How many were refused as not brain MR.
        confidence: Mean confidence of those with a finding; None without any.
        reviews: Newest reviews of these analyses, one per reader.
        agreed: How many of them agree.
        distance: Mean distance of the appearance statistics from the training images, 1 at the limit; None if unknown.
    """

    start: date
    analyses: int
    uncertain: int
    refused: int
    confidence: float | None
    reviews: int
    agreed: int
    distance: float | None

    @property
    def uncertain_share(self) -> float:
        """Share of uncertain answers."""
        return self.uncertain / self.analyses

    @property
    def refused_share(self) -> float:
        """Share of refused images."""
        return self.refused / self.analyses

    @property
    def agreement(self) -> float | None:
        """Share of reviews that agree; None without any."""
        return self.agreed / self.reviews if self.reviews else None


@dataclass(frozen=True, slots=True)
class VersionInUse:
    """One model version in use.

    Attributes:
        model: Name of the model.
        version: Its version.
        total: All weeks together.
        weeks: The weeks with an analysis, oldest first.
        shifts: Shift of each appearance statistic, largest first; empty if the training statistics are not installed.
        measured: Number of analyses behind `shifts`.
        sampled_scans: Number of scans, drawn at random, that were counted for all versions; None if all were counted.
        corrections: What reviews changed: what was said, the reviewer's finding, and how often, most frequent first.
        site_drifts: The later images of each team of the reader that accepted this version on cases of its own.
    """

    model: str
    version: str
    total: Period
    weeks: tuple[Period, ...]
    shifts: tuple[Shift, ...]
    measured: int
    corrections: tuple[tuple[str, str, int], ...]
    sampled_scans: int | None
    site_drifts: tuple[SiteDrift, ...] = ()


def models_in_use(user: User, *, now: datetime | None = None) -> list[VersionInUse]:
    """Return each model version that analyzed a scan of the last `WEEKS` weeks, the one with the most analyses first.

    Analyses of scans that were uploaded earlier do not count. Of more than `MAX_SCANS` scans, a random sample counts.

    Args:
        user: The reader. Only scans that are visible and open to them count; bundled samples do not.
        now: The end of the last week.
    """
    since = (now or timezone.now()) - timedelta(weeks=WEEKS)
    scope = scope_of(user)
    sample = sample_scans(scope, size=MAX_SCANS, since=since)
    weekly = _weekly(scope, sample.keys, since)
    agreed, corrections = _reviews(scope, sample.keys, since)
    at_sites = site_drifts(user, lambda columns: _rows(columns, "", scope, sample.keys, since))
    found = []
    for version in sorted({key[:2] for key in weekly}):
        weeks = [key for key in weekly if key[:2] == version]
        appearance = [(key[2], values) for key in weeks for values in weekly[key].appearances]
        distances, moved = _drift(version, appearance)
        periods = tuple(_period(key[2], weekly[key], agreed.get(key, []), distances.get(key[2], [])) for key in weeks)
        total = _sum(periods, distances=[value for values in distances.values() for value in values])
        changed = Counter(corrections.get(version, ())).most_common()
        found.append(
            VersionInUse(
                model=version[0],
                version=version[1],
                total=total,
                weeks=periods,
                shifts=tuple(moved),
                measured=len(appearance) if moved else 0,
                corrections=tuple((said, reader, number) for (said, reader), number in changed),
                sampled_scans=None if sample.complete else len(sample.keys),
                site_drifts=tuple(at_sites.get(version, ())),
            )
        )
    return sorted(found, key=lambda row: -row.total.analyses)


@dataclass(slots=True)
class _Week:
    """Answers of one version in one week."""

    analyses: int = 0
    uncertain: int = 0
    refused: int = 0
    confidences: list[float] = field(default_factory=list)
    appearances: list[list[float]] = field(default_factory=list)


def _weekly(scope: Scope, keys: Iterable[str], since: datetime) -> dict[Week, _Week]:
    """Return the answers of each version and week, oldest week first."""
    columns = f"{_VERSION}, a.outcome, a.confidence, a.appearance"
    found: dict[Week, _Week] = defaultdict(_Week)
    zone = timezone.get_current_timezone()
    for model, version, finished_at, outcome, confidence, appearance in _rows(columns, "", scope, keys, since):
        week = found[model, version, week_of(finished_at, zone)]
        week.analyses += 1
        week.uncertain += outcome == Outcome.UNCERTAIN
        week.refused += outcome == Outcome.NOT_BRAIN_MRI
        if outcome == Outcome.CLASSIFIED and confidence is not None:
            week.confidences.append(confidence)
        if appearance is not None:
            week.appearances.append(json.loads(appearance))
    return dict(sorted(found.items(), key=lambda item: item[0][2]))


_VERSION = "a.model_name, a.model_version, a.finished_at"


def _rows(columns: str, join: str, scope: Scope, keys: Iterable[str], since: datetime) -> list[tuple[Any, ...]]:
    """Return columns of the succeeded analyses `a`, since a time, of those of some scans `s` that figures count."""
    values = Values()
    scans = looked_up("classifier_scan", "s", "id", keys, values)
    return fetch(
        f"SELECT {columns} FROM {scans} JOIN classifier_analysis a ON a.scan_id = s.id "
        f"{join} WHERE s.sample = '' AND a.state = 'succeeded' AND a.commissioning_id IS NULL "
        f"AND a.finished_at >= {values.add(since)} AND {conditions.in_figures(scope, values)}",
        values,
    )


def _reviews(
    scope: Scope, keys: Iterable[str], since: datetime
) -> tuple[dict[Week, list[bool]], dict[Version, list[tuple[str, str]]]]:
    """Return whether the newest review of each reader agrees, by version and week, and what reviews changed."""
    newest = (
        "JOIN classifier_review r ON r.analysis_id = a.id AND NOT EXISTS (SELECT 1 FROM classifier_review n WHERE "
        "n.analysis_id = r.analysis_id AND n.reviewer_id = r.reviewer_id AND n.number > r.number)"
    )
    columns = f"{_VERSION}, r.verdict, r.finding, a.finding, a.outcome"
    zone = timezone.get_current_timezone()
    agreed: dict[Week, list[bool]] = defaultdict(list)
    corrections: dict[Version, list[tuple[str, str]]] = defaultdict(list)
    for row in _rows(columns, newest, scope, keys, since):
        model, version, finished_at, verdict, finding, said, outcome = row
        agrees = verdict == Review.Verdict.AGREE
        agreed[model, version, week_of(finished_at, zone)].append(agrees)
        if not agrees:
            corrections[model, version].append((said or outcome, finding))
    return agreed, corrections


def _drift(version: Version, rows: list[tuple[date, list[float]]]) -> tuple[dict[date, list[float]], list[Shift]]:
    """Return the distances from the training images by week, and the shift of each statistic; empty if unknown."""
    detector = _detector(version)
    if detector is None or not rows:
        return {}, []
    values = np.array([row for _, row in rows], np.float32)
    distances = detector.statistics.appearance_distance(values) / detector.appearance_limit
    by_week: dict[date, list[float]] = defaultdict(list)
    for (week, _), distance in zip(rows, distances, strict=True):
        by_week[week].append(float(distance))
    return by_week, shifts(values, detector.statistics)


def _detector(version: Version) -> OodDetector | None:
    """Return the detector of a version, with the statistics of its training images; None if it is not installed."""
    try:
        card = model_card(version[0])
        if card is None or card.version != version[1] or card.ood is None:
            return None
        path = card.ood.statistics.path
        return _loaded(card.ood, path.stat().st_mtime_ns)
    except (ModelError, OSError):
        return None


@lru_cache(maxsize=16)
def _loaded(card: OodCard, modified_ns: int) -> OodDetector:
    return OodDetector.load(card)


def _period(start: date, week: _Week, agreed: list[bool], distances: list[float]) -> Period:
    return Period(
        start=start,
        analyses=week.analyses,
        uncertain=week.uncertain,
        refused=week.refused,
        confidence=float(np.mean(week.confidences)) if week.confidences else None,
        reviews=len(agreed),
        agreed=sum(agreed),
        distance=float(np.mean(distances)) if distances else None,
    )


def _sum(periods: Sequence[Period], *, distances: list[float]) -> Period:
    named = [(period.confidence, period.analyses - period.uncertain - period.refused) for period in periods]
    known = [(value, number) for value, number in named if value is not None]
    number = sum(count for _, count in known)
    return Period(
        start=periods[0].start,
        analyses=sum(period.analyses for period in periods),
        uncertain=sum(period.uncertain for period in periods),
        refused=sum(period.refused for period in periods),
        confidence=sum(value * count for value, count in known) / number if number else None,
        reviews=sum(period.reviews for period in periods),
        agreed=sum(period.agreed for period in periods),
        distance=float(np.mean(distances)) if distances else None,
    )
