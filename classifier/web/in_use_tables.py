"""The figures of models in use as rows and charts of a page."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from classifier.selectors.in_use import Period, VersionInUse
from classifier.web.model_tables import Row
from classifier.wording import percent

Value = Callable[[Period], float | None]

CHARTS: tuple[tuple[str, str, str, Value], ...] = (
    ("uncertain", "Uncertain answers", "weekly_share", lambda period: period.uncertain_share),
    ("refused", "Refused images", "weekly_share", lambda period: period.refused_share),
    ("confidence", "Mean confidence of findings", "weekly_share", lambda period: period.confidence),
    ("agreement", "Reviews that agree", "weekly_share", lambda period: period.agreement),
    ("distance", "Distance of the input from the training images", "weekly", lambda period: period.distance),
)


def name_of(version: VersionInUse) -> str:
    """Return model and version."""
    return f"{version.model} {version.version}"


def period_row(name: str, period: Period) -> Row:
    """Return the figures of a week, or of all weeks."""
    reviews = f"{period.agreed:,} of {period.reviews:,}" if period.reviews else "none"
    cells = (
        f"{period.analyses:,}",
        f"{period.uncertain:,} ({percent(period.uncertain_share)})",
        f"{period.refused:,} ({percent(period.refused_share)})",
        "–" if period.confidence is None else percent(period.confidence),
        reviews,
        "not measured" if period.distance is None else f"{period.distance:.2f}",
    )
    return Row(name, cells)


def week_charts(versions: Sequence[VersionInUse]) -> list[dict[str, Any]]:
    """Return a chart of each figure by week; those without a value are left out."""
    weeks = sorted({period.start for version in versions for period in version.weeks})
    charts = []
    for name, heading, kind, value in CHARTS:
        lines = [{"name": name_of(version), "values": _by_week(version, weeks, value)} for version in versions]
        if any(point is not None for line in lines for point in line["values"]):
            data = {"labels": [f"{week:%-d %b}" for week in weeks], "lines": lines}
            charts.append({"name": name, "heading": heading, "kind": kind, "data": data})
    return charts + _site_chart(versions, weeks)


def _site_chart(versions: Sequence[VersionInUse], weeks: Sequence[date]) -> list[dict[str, Any]]:
    """Return the chart of the shift from each team's own baseline; empty if there is none."""
    lines = [
        {
            "name": f"{name_of(version)}, {site.commissioning.team.name}",
            "values": [{week.start: round(week.shift, 4) for week in site.weeks}.get(week) for week in weeks],
        }
        for version in versions
        for site in version.site_drifts
        if site.weeks
    ]
    if not lines:
        return []
    data = {"labels": [f"{week:%-d %b}" for week in weeks], "lines": lines}
    heading = "Shift of the input from the site's own baseline"
    return [{"name": "site", "heading": heading, "kind": "weekly", "data": data}]


def _by_week(version: VersionInUse, weeks: Sequence[date], value: Value) -> list[float | None]:
    known = {period.start: value(period) for period in version.weeks}
    return [None if (found := known.get(week)) is None else round(found, 4) for week in weeks]
