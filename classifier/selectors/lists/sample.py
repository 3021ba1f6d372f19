"""Random samples of what a person may see, for figures that would otherwise read every scan."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import inf, sqrt
from uuid import UUID

from django.db import connection

from classifier.models.scan_sample import SHARES
from classifier.selectors.lists import conditions
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, fetch

MAX_EXAMINED = 1000
"""Statements of a person, those about the scans with the smallest keys, among which a sample is looked for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Scans drawn at random from a selection.

    Attributes:
        keys: keys of the scans as text, as the database casts them: to make `UUID` objects of them takes longer than
            to read them.
        complete: whether these are all scans of the selection.
    """

    keys: frozenset[str]
    complete: bool


def sample_scans(
    scope: Scope, *, size: int, team: int | None = None, since: datetime | None = None, until: datetime | None = None
) -> Sample:
    """Return `size` visible scans drawn at random, or all if there are fewer, in at most five queries.

    Args:
        scope: what the person may see.
        size: number of scans.
        team: only scans of this team of the person's.
        since: earliest time of the upload.
        until: time of the upload before which it lies.
    """
    if team is not None and team not in scope.teams:
        return Sample(frozenset(), complete=True)
    found: list[str] = []
    most = inf
    for one_in, limit in [*sorted(SHARES.items(), reverse=True), (1, None)]:
        # A sample that was too small says how many scans there can be, so that others that are too small are left out.
        if limit is not None and most < size * one_in:
            continue
        found = _smallest(scope, limit, size=size, team=team, since=since, until=until)
        if len(found) == size:
            break
        # Three standard deviations above the estimate.
        most = one_in * (len(found) + 3 * sqrt(len(found)) + 3)
    return Sample(frozenset(found), complete=len(found) < size)


def sample_of_statements(
    table: str,
    reader: str,
    scope: Scope,
    *,
    size: int,
    team: int | None,
    since: datetime | None,
    until: datetime | None,
) -> Sample:
    """Return visible scans about which the person has said something, drawn at random from all of these.

    Args:
        table: the table of the statements, with an index by reader and scan.
        reader: its column of the person.
        scope: what the person may see.
        size: number of scans at most.
        team: only scans of this team of the person's.
        since: earliest time of the upload.
        until: time of the upload before which it lies.
    """
    values = Values()
    said = (
        f"SELECT scan_id FROM {table} WHERE {reader} = {values.add(scope.user.pk)} "
        f"ORDER BY scan_id LIMIT {MAX_EXAMINED}"
    )
    where = [
        conditions.visible(scope, Criteria(team=team), values),
        *conditions.in_range(since, until, None, values),
    ]
    sql = (
        f"SELECT DISTINCT s.id FROM ({said}) r JOIN classifier_scan s ON s.id = r.scan_id "
        f"WHERE {' AND '.join(where)} ORDER BY s.id LIMIT {size}"
    )
    keys = _keys(sql, values)
    return Sample(frozenset(keys), complete=len(keys) < size)


def looked_up(table: str, name: str, column: str, keys: Iterable[str], values: Values) -> str:
    """Return the rows of a table for keys of a sample, as what follows FROM: each key is looked up by itself.

    Args:
        table: the table.
        name: its name in the statement.
        column: the column with the key of a scan.
        keys: keys of scans, however many.
        values: takes the parameters.
    """
    if connection.vendor == "sqlite":
        table_of_keys = f"(SELECT value AS id FROM json_each({values.add(json.dumps(list(keys)))})) k"
        return f"{table_of_keys} CROSS JOIN {table} {name} ON {name}.{column} = k.id"
    # PostgreSQL would rather read a whole table with few statements of each scan. OFFSET keeps it from that.
    table_of_keys = f"(SELECT unnest({values.add(list(keys))}::uuid[]) AS id) k"
    return f"{table_of_keys} CROSS JOIN LATERAL (SELECT * FROM {table} r WHERE r.{column} = k.id OFFSET 0) {name}"


def _smallest(
    scope: Scope, limit: UUID | None, *, size: int, team: int | None, since: datetime | None, until: datetime | None
) -> list[str]:
    """Return the `size` smallest keys of a selection, of those below a limit."""
    teams = list(scope.teams) if team is None else [team]
    values = Values()
    parts = [_part(f"s.team_id = {values.add(key)}", limit, since, until, values) for key in teams]
    if team is None:
        own = f"s.owner_id = {values.add(scope.user.pk)}"
        if teams:
            own += f" AND (s.team_id IS NULL OR s.team_id NOT IN ({values.all(teams)}))"
        parts.append(_part(own, limit, since, until, values))
    return _keys(f"SELECT id FROM ({' UNION ALL '.join(parts)}) found ORDER BY id LIMIT {size}", values)


def _part(key: str, limit: UUID | None, since: datetime | None, until: datetime | None, values: Values) -> str:
    # A literal: the databases compare it with the condition of a partial index.
    where = [key, *([f"s.id < '{limit.hex}'"] if limit else []), *conditions.in_range(since, until, None, values)]
    return f"SELECT s.id FROM classifier_scan s WHERE {' AND '.join(where)}"


def _keys(sql: str, values: Values) -> list[str]:
    return [key for (key,) in fetch(f"SELECT CAST(id AS text) FROM ({sql}) found", values)]
