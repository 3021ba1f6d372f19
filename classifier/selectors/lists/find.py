"""Find the scans of a list: choose the indexes, and merge what their ranges give."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from uuid import UUID

from django.db import connection

from classifier.models.scan_index import Facet
from classifier.selectors.lists import conditions
from classifier.selectors.lists.criteria import MIN_INDEXED, Criteria, Place
from classifier.selectors.lists.ranges import Range, fetched, merged, ordered
from classifier.selectors.lists.scope import Cell, Scope, earliest, facets_of
from classifier.selectors.lists.sql import Values
from classifier.selectors.lists.text import Way, all_texts, indexed_texts, nearest_texts, owners_by_word, text_keys

Statement = tuple[str, Values]


def find_scans(
    scope: Scope, criteria: Criteria, *, limit: int, place: Place | None = None, oldest: bool = False
) -> list[UUID]:
    """Return the keys of the next scans from `place` on.

    Args:
        scope: what the person may see.
        criteria: what the list is narrowed to.
        limit: how many at most.
        place: where the list goes on; None begins at the newest, or at the oldest, scan.
        oldest: whether the oldest come first. They do where the place says so.

    Returns:
        The keys in the order asked for.
    """
    if criteria.team is not None and criteria.team not in scope.teams:
        return []
    ascending = oldest or (place is not None and place.newer)
    finder = _Finder(scope, criteria, place, limit=limit, ascending=ascending)
    return fetched(finder.statements(), limit=limit, ascending=ascending)


SPARE = 16
"""Positions do not order texts of one microsecond: so many more are read, and those of the scans cut them off."""


class _Finder:
    """Builds the statements of one list."""

    def __init__(self, scope: Scope, criteria: Criteria, place: Place | None, *, limit: int, ascending: bool) -> None:
        self._scope, self._criteria, self._place = scope, criteria, place
        self._limit, self._ascending = limit, ascending
        self._owners = owners_by_word(criteria.words)
        self._facets: list[str] | None = None

    def statements(self) -> Iterator[Statement]:
        """Yield the statements whose rows, merged, begin with the scans that are wanted: nearly always one or two."""
        criteria = self._criteria
        ways = list(self._ways())
        if criteria.patient_reference:
            for way in ways:
                yield from self._patient(criteria.patient_reference, way)
            return
        for way in ways:
            if way.indexed:
                yield from self._text(way)
            elif way.exact:
                yield from self._patient(way.exact[0], way)
            elif way.owners is not None:
                yield from self._by_facet(self._owner_cells(way.owners), way)
            elif criteria.facets or criteria.open_only or criteria.sealed_only:
                yield from self._by_facet(self._facet_cells(), way)
            else:
                yield from self._merged([Range(cell) for cell in self._time_cells()], way, by_range=True)

    def _ways(self) -> Iterator[Way]:
        """Yield the ways in which all words can occur: each in the text, or in the name of the owner."""
        choices = [(None, owners) if (owners := self._owners[word]) else (None,) for word in self._criteria.words]
        for chosen in product(*choices):
            in_text = [word for word, owners in zip(self._criteria.words, chosen, strict=True) if owners is None]
            sets = [set(owners) for owners in chosen if owners is not None]
            yield Way(
                indexed=tuple(word for word in in_text if len(word) >= MIN_INDEXED),
                exact=tuple(word for word in in_text if len(word) < MIN_INDEXED),
                owners=tuple(sorted(set.intersection(*sets))) if sets else None,
            )

    def _time_cells(self) -> list[Cell]:
        """Return cells whose scans, together, are all that are visible; some scans are in two of them."""
        criteria, scope = self._criteria, self._scope
        if criteria.team is not None:
            return [Cell(owner=scope.user.pk if criteria.mine else None, team=criteria.team)]
        own = Cell(owner=scope.user.pk, any_team=True)
        return [own] if criteria.mine else [own, *(scope.team_cell(team) for team in scope.teams.values())]

    def _facet_cells(self) -> list[Cell]:
        """Return disjoint cells of what is visible."""
        criteria, scope = self._criteria, self._scope
        if criteria.team is not None:
            cell = scope.team_cell(scope.teams[criteria.team])
            return [replace(cell, owner=scope.user.pk) if criteria.mine else cell]
        return scope.own_cells() if criteria.mine else scope.cells()

    def _owner_cells(self, owners: Sequence[int]) -> list[Cell]:
        """Return disjoint cells of what is visible of these owners' scans."""
        criteria, scope = self._criteria, self._scope
        wanted = {cell.team: cell for cell in self._facet_cells()}
        cells = []
        for owner in owners:
            if owner == scope.user.pk and criteria.team is None:
                cells += scope.own_cells()
            elif owner == scope.user.pk or not criteria.mine:
                cells += [replace(cell, owner=owner) for team, cell in wanted.items() if team in scope.teams]
        return cells

    def _by_facet(self, cells: list[Cell], way: Way) -> Iterator[Statement]:
        criteria = self._criteria
        matching = {
            cell: [facet for facet in found if criteria.matches(Facet.parse(facet))]
            for cell, found in facets_of(cells, months=conditions.months(criteria, self._place)).items()
        }
        ranges = [
            Range(cell, facet, until=until, since=since)
            for cell, found in matching.items()
            for since, until in self._times(cell)
            for facet in found
        ]
        yield from self._merged(ranges, way, by_range=True)
        facets = sorted({facet for found in matching.values() for facet in found})
        if criteria.open_only and not criteria.sealed_only and facets and any(cell.sealed_since for cell in matching):
            self._facets = facets
            values = Values()
            reader = f"i.reader_id = {values.add(self._scope.user.pk)}"
            yield self._one("classifier_impression i JOIN classifier_scan s ON s.id = i.scan_id", [reader], way, values)

    def _times(self, cell: Cell) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield since and until of what a cell contributes; nothing if it contributes nothing."""
        criteria = self._criteria
        since, until = criteria.since, criteria.until
        if criteria.open_only and criteria.sealed_only:
            return
        if criteria.open_only:
            until = earliest(until, cell.sealed_since)
        if criteria.sealed_only:
            if cell.sealed_since is None:
                return
            since = cell.sealed_since if since is None else max(since, cell.sealed_since)
        yield since, until

    def _patient(self, reference: str, way: Way) -> Iterator[Statement]:
        ranges = [Range(cell, reference=reference) for cell in self._time_cells()]
        yield from self._merged(ranges, way, by_range=False)

    def _text(self, way: Way) -> Iterator[Statement]:
        values, place, criteria = Values(), self._place, self._criteria
        if connection.vendor == "sqlite":
            table, where, position = indexed_texts(self._scope, criteria, way, values, place=place)
            yield self._one(table, where, way, values, position=position)
            return
        parts = []
        for number, key in enumerate(text_keys(self._scope, criteria)):
            table, where, position = nearest_texts(key, criteria, way, values, place=place, ascending=self._ascending)
            nearest, _ = self._one(table, where, way, values, position=position)
            table, where, position = all_texts(key, criteria, way, values, place=place)
            every, _ = self._one(table, where, way, values, position=position)
            # The index is asked only for what is not frequent: it has no order and finds all texts with a word.
            parts.append(
                f"SELECT * FROM (WITH nearest AS MATERIALIZED ({nearest}) SELECT * FROM nearest UNION ALL "
                f"SELECT * FROM ({every}) every WHERE (SELECT count(*) FROM nearest) < {self._limit + SPARE}) k{number}"
            )
        yield " UNION ALL ".join(parts), values

    def _merged(self, ranges: list[Range], way: Way, *, by_range: bool) -> Iterator[Statement]:
        def residual(values: Values) -> list[str]:
            return self._residual(way, values, by_range=by_range)

        yield from merged(
            ranges, self._criteria, self._place, residual=residual, limit=self._limit, ascending=self._ascending
        )

    def _one(self, table: str, where: list[str], way: Way, values: Values, *, position: str = "") -> Statement:
        """Return the statement of a selection that no range of an index of scans describes."""
        where = [
            *where,
            conditions.visible(self._scope, self._criteria, values),
            *conditions.in_range(self._criteria.since, self._criteria.until, self._place, values),
            *self._residual(way, values, by_range=False),
        ]
        limit = self._limit + SPARE if position else self._limit
        return ordered(table, where, values, limit=limit, ascending=self._ascending, position=position), values

    def _residual(self, way: Way, values: Values, *, by_range: bool) -> list[str]:
        """Return the conditions that the ranges do not say.

        Args:
            way: how the words occur.
            values: takes the parameters.
            by_range: whether the ranges say facets, and the times from which results are sealed.
        """
        criteria, parts = self._criteria, []
        if not by_range:
            if criteria.facets:
                parts.append(f"s.facet IN ({values.all(self._matching_facets()) or 'NULL'})")
            if criteria.open_only:
                parts.append(conditions.is_open(self._scope, values))
        if criteria.sealed_only:
            parts.append(f"NOT {conditions.is_open(self._scope, values)}")
        if criteria.state:
            parts.append(conditions.has_state(criteria.state, values))
        if way.owners is not None:
            parts.append(f"s.owner_id IN ({values.all(list(way.owners)) or 'NULL'})")
        parts += [f"lower(s.patient_reference) = {values.add(word.lower())}" for word in way.exact]
        if criteria.patient_reference:
            parts += [conditions.has_word(word, values) for word in way.indexed]
        if criteria.attention_before is not None:
            parts.append(conditions.needs_attention(self._scope, criteria.attention_before, values))
        if criteria.unread:
            parts.append(conditions.is_unread(self._scope, values))
        return parts

    def _matching_facets(self) -> list[str]:
        if self._facets is None:
            found = facets_of(self._facet_cells()).values()
            every: Iterable[str] = {facet for facets in found for facet in facets}
            self._facets = sorted(facet for facet in every if self._criteria.matches(Facet.parse(facet)))
        return self._facets
