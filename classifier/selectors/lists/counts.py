"""Counts of what a person may see, from the table of counts."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection
from django.utils import timezone

from classifier.models.scan_index import Facet
from classifier.selectors.lists.scope import Cell, Scope, facets_of
from classifier.selectors.lists.sql import Values


def count_results(scope: Scope) -> tuple[Counter[str], Counter[str]]:
    """Return the number of visible scans by result (`Facet.result`): all, and those whose result is open.

    Results that are not answers, such as "waiting", are open to everybody.
    """
    facets = scope.facets(scope.cells())
    found, opened = Counter[str](), Counter[str]()
    sealed = [cell for cell in facets if cell.sealed_since is not None]
    for cell, numbers in facets.items():
        for facet, number in numbers.items():
            parsed = Facet.parse(facet)
            found[parsed.result] += number
            if cell.sealed_since is None or not parsed.succeeded:
                opened[parsed.result] += number
    if sealed:
        for facet, number in _open_in(sealed, facets, scope):
            parsed = Facet.parse(facet)
            if parsed.succeeded:
                opened[parsed.result] += number
    return found, opened


def _open_in(cells: list[Cell], facets: dict[Cell, dict[str, int]], scope: Scope) -> Iterable[tuple[str, int]]:
    """Yield facets and numbers of open scans in cells with sealed results, in three queries."""
    for numbers in facets_of(cells, before={cell: f"{_month(cell):%Y-%m}" for cell in cells}).values():
        yield from numbers.items()
    values, parts = Values(), []
    for cell in cells:
        # The rest of the month in which the seal was set, through the index by facet.
        succeeded = [facet for facet in facets[cell] if Facet.parse(facet).succeeded]
        parts.append(
            f"SELECT s.facet, count(*) FROM classifier_scan s WHERE {key_of(cell, values)} "
            f"AND s.facet IN ({values.all(succeeded) or 'NULL'}) AND s.created_at >= {values.add(_month(cell))} "
            f"AND s.created_at < {values.add(cell.sealed_since)} GROUP BY s.facet"
        )
    yield from _rows(" UNION ALL ".join(parts), values)
    values = Values()
    reader = values.add(scope.user.pk)
    keys = [f"({key_of(cell, values)} AND s.created_at >= {values.add(cell.sealed_since)})" for cell in cells]
    yield from _rows(
        "SELECT s.facet, count(*) FROM classifier_impression i JOIN classifier_scan s ON s.id = i.scan_id "
        f"WHERE i.reader_id = {reader} AND ({' OR '.join(keys)}) GROUP BY s.facet",
        values,
    )


def key_of(cell: Cell, values: Values) -> str:
    """Return the condition that a scan `s` belongs to a cell."""
    parts = []
    if cell.owner is not None:
        parts.append(f"s.owner_id = {values.add(cell.owner)}")
    if cell.team is not None:
        parts.append(f"s.team_id = {values.add(cell.team)}")
    elif not cell.any_team:
        parts.append("s.team_id IS NULL")
    return " AND ".join(parts)


def uploads_per_day(scope: Scope, *, days: int) -> list[tuple[date, int]]:
    """Return the number of visible uploads on each of the last days in the current time zone, oldest first.

    One query over the indexes in the order of the uploads: it reads one index entry for each upload of these days.
    """
    zone = timezone.get_current_timezone()
    first = timezone.localdate() - timedelta(days=days - 1)
    dates = [first + timedelta(days=offset) for offset in range(days)]
    begins = [datetime.combine(day, datetime.min.time(), zone) for day in [*dates, dates[-1] + timedelta(days=1)]]
    values = Values()
    rows = ", ".join(
        f"({number}, {values.add(begin)}, {values.add(end)})" for number, (begin, end) in enumerate(pairwise(begins))
    )
    own = f"s.owner_id = {values.add(scope.user.pk)}"
    if scope.teams:
        own += f" AND (s.team_id IS NULL OR s.team_id NOT IN ({values.all(list(scope.teams))}))"
    keys = [own, *(f"s.team_id = {values.add(team)}" for team in scope.teams)]
    sums = " + ".join(
        f"(SELECT count(*) FROM classifier_scan s WHERE {key} AND s.created_at >= d.since AND s.created_at < d.until)"
        for key in keys
    )
    found = dict(_rows(f"WITH d(number, since, until) AS (VALUES {rows}) SELECT d.number, {sums} FROM d", values))
    return [(day, found[number]) for number, day in enumerate(dates)]


def _month(cell: Cell) -> datetime:
    """Return the beginning, in UTC, of the month in which a cell's results were sealed."""
    assert cell.sealed_since is not None
    return cell.sealed_since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _rows(sql: str, values: Values) -> list[tuple[Any, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values.found)
        return [(row[0], int(row[1])) for row in cursor.fetchall()]
