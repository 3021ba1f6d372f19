"""Merge ranges of the indexes of scans in one statement."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import connection

from classifier.selectors.lists import conditions
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.scope import Cell
from classifier.selectors.lists.sql import Values

Statement = tuple[str, Values]

FEW = 8
MAX_SELECTIONS = 400
"""SQLite merges at most 500 selections in one statement; more are several statements."""


@dataclass(frozen=True, slots=True)
class Range:
    """A range of an index: scans of a cell, with one facet, one patient reference, or any.

    Attributes:
        cell: owner and team.
        facet: the facet; None for any.
        reference: the patient reference; "" for any.
        since, until: times in place of those of the criteria.
    """

    cell: Cell
    facet: str | None = None
    reference: str = ""
    since: datetime | None = None
    until: datetime | None = None


def merged(
    ranges: list[Range],
    criteria: Criteria,
    place: Place | None,
    *,
    residual: Callable[[Values], list[str]],
    limit: int,
    ascending: bool,
    table: str = "classifier_scan s",
) -> Iterator[Statement]:
    """Yield statements that select the first `limit` rows of each range, and of these the first `limit`.

    Args:
        ranges: the ranges, with a facet or all without. Only those of cells with `any_team` may overlap others.
        criteria: the times of the upload.
        place: where the list goes on.
        residual: returns further conditions.
        limit: number of rows.
        ascending: whether the oldest come first.
        table: a table with the columns of the keys, named `s`.
    """
    # PostgreSQL plans a hundred selections slowly, and a join with their keys fast.
    several = connection.vendor == "sqlite" or len(ranges) <= FEW or ranges[0].facet is None
    # A person's own scans may be a team's too. Counted twice, they would leave too few of the first rows.
    overlap = len(ranges) > 1 and any(one.cell.any_team for one in ranges)
    columns = "DISTINCT created_at, id" if overlap else "created_at, id"
    for group in _chunks(ranges) if several else _shapes(ranges):
        values, parts = Values(), []
        if several:
            for one in group:
                where = [*_bounds(one, criteria, place, values), *residual(values)]
                parts.append(ordered(table, where, values, limit=limit, ascending=ascending))
            inner = " UNION ALL ".join(f"SELECT * FROM ({part}) p{number}" for number, part in enumerate(parts))
        else:
            inner = _lateral(group, criteria, place, residual=residual, values=values, limit=limit, ascending=ascending)
        order = "ASC" if ascending else "DESC"
        yield (
            f"SELECT {columns} FROM ({inner}) found ORDER BY created_at {order}, id {order} LIMIT {limit}",
            values,
        )


def walked(
    ranges: list[Range],
    criteria: Criteria,
    place: Place | None,
    *,
    residual: Callable[[Values], list[str]],
    limit: int,
    ascending: bool,
) -> Iterator[Statement]:
    """Yield statements that read the rows of all ranges in their common order until `limit` of them match `residual`.

    Unlike those of `merged`, they read few rows that do not match. The database prepares every range for it.
    """
    order = "ASC" if ascending else "DESC"
    for group in _chunks(ranges):
        values, parts = Values(), []
        for one in group:
            where = [*_bounds(one, criteria, place, values), *residual(values)]
            parts.append(f"SELECT s.created_at, s.id FROM classifier_scan s WHERE {' AND '.join(where)}")
        yield (
            f"SELECT created_at, id FROM ({' UNION ALL '.join(parts)}) found "
            f"ORDER BY created_at {order}, id {order} LIMIT {limit}",
            values,
        )


def first_keys(rows: Iterable[tuple[object, UUID | str]], *, limit: int, ascending: bool) -> list[UUID]:
    """Return the keys of the first `limit` of rows of time and key."""
    found: dict[UUID, tuple[object, str]] = {}
    for created_at, key in rows:
        row_id = key if isinstance(key, UUID) else UUID(key)
        found[row_id] = (created_at, row_id.hex)
    return sorted(found, key=found.__getitem__, reverse=not ascending)[:limit]


def ordered(table: str, where: list[str], values: Values, *, limit: int, ascending: bool, order: str = "") -> str:
    """Return the selection of the first rows of a table, in an order, or in that of the upload."""
    direction = "ASC" if ascending else "DESC"
    order = order or f"s.created_at {direction}, s.id {direction}"
    return f"SELECT s.created_at, s.id FROM {table} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT {limit}"


def _bounds(one: Range, criteria: Criteria, place: Place | None, values: Values) -> list[str]:
    """Return the conditions of a range itself: its keys, and its times in place of those of the criteria."""
    since, until = one.since or criteria.since, one.until or criteria.until
    return [*_keys(one, values), *conditions.in_range(since, until, place, values)]


def _keys(one: Range, values: Values) -> list[str]:
    """Return the conditions on the columns that an index begins with."""
    cell, parts = one.cell, []
    if cell.owner is not None:
        parts.append(f"s.owner_id = {values.add(cell.owner)}")
    if cell.team is not None:
        parts.append(f"s.team_id = {values.add(cell.team)}")
    elif not cell.any_team:
        parts.append("s.team_id IS NULL")
    if one.facet is not None:
        parts.append(f"s.facet = {values.add(one.facet)}")
    if one.reference:
        parts.append(f"lower(s.patient_reference) = lower({values.add(one.reference)})")
    return parts


def _chunks(ranges: list[Range]) -> Iterator[list[Range]]:
    for begin in range(0, len(ranges), MAX_SELECTIONS):
        yield ranges[begin : begin + MAX_SELECTIONS]


def _shape(one: Range) -> tuple[bool, bool, datetime | None, datetime | None]:
    return one.cell.owner is None, one.cell.team is None, one.since, one.until


def _shapes(ranges: list[Range]) -> Iterator[list[Range]]:
    """Yield the ranges that differ in their values alone."""
    far = datetime.max
    key = lambda one: tuple(str(part or far) for part in _shape(one))  # noqa: E731
    for _, group in groupby(sorted(ranges, key=key), key=key):
        yield list(group)


def _lateral(
    ranges: list[Range],
    criteria: Criteria,
    place: Place | None,
    *,
    residual: Callable[[Values], list[str]],
    values: Values,
    limit: int,
    ascending: bool,
) -> str:
    """Return the selections of ranges by facet as a join, which PostgreSQL plans once."""
    first = ranges[0]
    rows = ", ".join(
        f"({values.add(one.cell.owner)}::integer, {values.add(one.cell.team)}::bigint, {values.add(one.facet)})"
        for one in ranges
    )
    where = ["s.facet = k.facet"]
    if first.cell.owner is not None:
        where.append("s.owner_id = k.owner")
    where.append("s.team_id IS NULL" if first.cell.team is None else "s.team_id = k.team")
    since, until = first.since or criteria.since, first.until or criteria.until
    where += [*conditions.in_range(since, until, place, values), *residual(values)]
    one = ordered("classifier_scan s", where, values, limit=limit, ascending=ascending)
    return f"SELECT p.created_at, p.id FROM (VALUES {rows}) k(owner, team, facet) CROSS JOIN LATERAL ({one}) p"
