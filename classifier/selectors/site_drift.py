"""Drift of a team's images against the images that it accepted a model on.

The baseline is part of the acceptance report: mean and spread of each appearance statistic of the cases. Only later
images of the same team are compared with it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from django.utils import timezone

from classifier.comparison.drift import Shift, shifts_from
from classifier.inference.appearance import FEATURES
from classifier.models import Commissioning, User
from classifier.selectors.commissioning import commissionings_of
from classifier.selectors.lists.sql import moment

LEAST_IMAGES = 20
"""Images of a baseline, and of the images that are compared with it: fewer have no spread to speak of."""

Version = tuple[str, str]
Read = Callable[[str], list[tuple[Any, ...]]]
"""Returns columns, in SQL, of the analyses `a` of scans `s` that are open to a reader, as the database has them."""


@dataclass(frozen=True, slots=True)
class SiteWeek:
    """The images of one week.

    Attributes:
        start: First day of the week.
        images: Their number.
        shift: Mean shift of the appearance statistics from the baseline, without sign, in its standard deviations.
    """

    start: date
    images: int
    shift: float


@dataclass(frozen=True, slots=True)
class SiteDrift:
    """The later images of one team against its own baseline.

    Attributes:
        commissioning: The newest closed one of the team and the version.
        closed_on: The day of its acceptance report.
        baseline_images: Number of images behind the baseline.
        measured: Number of later images.
        shifts: Shift of each appearance statistic, largest first; empty with too few images on either side.
        weeks: The weeks with an image, oldest first.
    """

    commissioning: Commissioning
    closed_on: date
    baseline_images: int
    measured: int
    shifts: tuple[Shift, ...]
    weeks: tuple[SiteWeek, ...]


def site_drifts(user: User, read: Read) -> dict[Version, list[SiteDrift]]:
    """Return the drift of each team of the user that has a baseline, by model version.

    Args:
        user: The reader. Only their teams count.
        read: Called only if a team has a baseline.
    """
    newest = _newest(user)
    if not newest:
        return {}
    rows = _later_rows(read, newest)
    found: dict[Version, list[SiteDrift]] = defaultdict(list)
    for key, commissioning in newest.items():
        found[key[1:]].append(_drift(commissioning, rows.get(key, [])))
    return found


def week_of(at: datetime | str, zone: tzinfo) -> date:
    """Return the Monday before a time, as it is read from the database."""
    day = moment(at).astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def _newest(user: User) -> dict[tuple[int, str, str], Commissioning]:
    """Return the newest closed commissioning with a baseline of each team and version."""
    found: dict[tuple[int, str, str], Commissioning] = {}
    closed = commissionings_of(user).filter(report__isnull=False).order_by("report__closed_at", "pk")
    for row in closed:
        if row.report.content["baseline"]:
            found[row.team_id, row.model_name, row.model_version] = row
    return found


def _later_rows(
    read: Read, newest: dict[tuple[int, str, str], Commissioning]
) -> dict[tuple[int, str, str], list[tuple[date, list[float]]]]:
    """Return week and appearance of the analyses that ended after the baseline was made."""
    rows: dict[tuple[int, str, str], list[tuple[date, list[float]]]] = defaultdict(list)
    zone = timezone.get_current_timezone()
    columns = "s.team_id, a.model_name, a.model_version, a.finished_at, a.appearance"
    for team, model, version, stored, appearance in read(columns):
        commissioning = newest.get((team, model, version))
        if commissioning is None or appearance is None or moment(stored) <= commissioning.report.closed_at:
            continue
        values = json.loads(appearance)
        if len(values) == len(FEATURES):
            rows[team, model, version].append((week_of(stored, zone), values))
    return rows


def _drift(commissioning: Commissioning, rows: Sequence[tuple[date, list[float]]]) -> SiteDrift:
    baseline = commissioning.report.content["baseline"]
    known = {row["feature"]: row for row in baseline["features"]}
    enough = baseline["images"] >= LEAST_IMAGES and len(rows) >= LEAST_IMAGES and set(known) == set(FEATURES)
    moved: list[Shift] = []
    weeks: list[SiteWeek] = []
    if enough:
        mean, spread = (np.array([known[name][value] for name in FEATURES], float) for value in ("mean", "spread"))
        moved = shifts_from(np.array([values for _, values in rows], float), mean=mean, spread=spread)
        by_week: dict[date, list[list[float]]] = defaultdict(list)
        for week, values in rows:
            by_week[week].append(values)
        for week in sorted(by_week):
            own = shifts_from(np.array(by_week[week], float), mean=mean, spread=spread)
            size = float(np.mean([abs(shift.deviations) for shift in own])) if own else 0.0
            weeks.append(SiteWeek(week, len(by_week[week]), size))
    return SiteDrift(
        commissioning=commissioning,
        closed_on=date.fromisoformat(commissioning.report.content["closed"]),
        baseline_images=int(baseline["images"]),
        measured=len(rows),
        shifts=tuple(moved),
        weeks=tuple(weeks),
    )
