"""Find the scans of a list: choose the indexes, and merge what their ranges give."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from math import inf
from uuid import UUID

from django.db import connection

from classifier.models.scan_index import Facet
from classifier.selectors.lists import conditions
from classifier.selectors.lists.cells import facet_cells, time_cells
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.ranges import Range, Statement, first_keys
from classifier.selectors.lists.scope import Cell, Scope, earliest, latest
from classifier.selectors.lists.sql import Values, fetch
from classifier.selectors.lists.statements import SPARE, Rows, Statements
from classifier.selectors.lists.text import Search, cut_off, sampled, searches_of
from classifier.selectors.lists.ways import Way, ways_of

Facets = dict[Cell, dict[str, int]]
"""Numbers of scans by facet."""


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
    return first_keys(chain.from_iterable(finder.rows()), limit=limit, ascending=ascending)


FEW_READ = 500
"""So many scans that a person has read are looked up one by one."""

FEW_SCANS = 2000
"""So many scans are read one by one rather than a text index."""

AMPLE = 2.5
"""So many times the texts that are expected to suffice: a second reading is rare."""

MOST_TEXTS = 10_000
"""To read more texts one by one takes longer than to ask the text index."""


class _Finder:
    """Chooses the statements of one list, and runs them."""

    def __init__(self, scope: Scope, criteria: Criteria, place: Place | None, *, limit: int, ascending: bool) -> None:
        self._scope, self._criteria, self._place = scope, criteria, place
        self._limit, self._ascending = limit, ascending
        self._statements = Statements(scope, criteria, place, limit=limit, ascending=ascending)

    def rows(self) -> Iterator[Rows]:
        """Yield rows that, merged, begin with the scans that are wanted."""
        for rows in self._rows():
            self._statements.remember(rows)
            yield rows

    def _rows(self) -> Iterator[Rows]:
        criteria = self._criteria
        for way in ways_of(criteria.words):
            self._statements.facets = None
            if criteria.patient_reference:
                yield from self._fetched(self._patient(criteria.patient_reference, way))
            elif way.indexed:
                yield from self._text(way)
            elif way.exact:
                yield from self._fetched(self._patient(way.exact[0], way))
            elif way.owners is not None or self._statements.by_result:
                yield from self._fetched(self._by_facet(self._matching(self._counts(way)), way))
            else:
                ranges = [Range(cell) for cell in time_cells(self._scope, criteria)]
                yield from self._fetched(self._statements.merged(ranges, way, by_range=True))

    def _fetched(self, statements: Iterable[Statement]) -> Iterator[Rows]:
        for sql, values in statements:
            yield fetch(sql, values)

    def _matching(self, counts: Facets) -> Facets:
        return {
            cell: {facet: number for facet, number in found.items() if self._criteria.matches(Facet.parse(facet))}
            for cell, found in counts.items()
        }

    def _counts(self, way: Way) -> Facets:
        """Return the facets of each cell with the number of scans of the months of the list."""
        cells = facet_cells(self._scope, self._criteria, owners=way.owners)
        return self._scope.facets(cells, months=conditions.months(self._criteria, self._place))

    def _by_facet(self, matching: Facets, way: Way, *, in_scans: bool = False) -> Iterator[Statement]:
        """Yield the statements of the scans with some facets. `in_scans` looks for the words in each of them."""
        criteria = self._criteria
        ranges = [
            Range(cell, facet, until=until, since=since)
            for cell, found in matching.items()
            for since, until in self._times(cell)
            for facet in found
        ]
        yield from self._statements.merged(ranges, way, by_range=True, in_scans=in_scans)
        sealed = {cell: found for cell, found in matching.items() if cell.sealed_since is not None and found}
        if criteria.open_only and not criteria.sealed_only and sealed:
            yield from self._read(sealed, way, in_scans=in_scans)

    def _read(self, sealed: Facets, way: Way, *, in_scans: bool) -> Iterator[Statement]:
        """Yield the statements of the scans that the person has read since results are sealed."""
        values = Values()
        read = f"SELECT scan_id FROM classifier_impression WHERE reader_id = {values.add(self._scope.user.pk)}"
        if len(fetch(f"{read} LIMIT {FEW_READ}", values)) < FEW_READ:
            values = Values()
            self._statements.facets = sorted({facet for found in sealed.values() for facet in found})
            reader = f"i.reader_id = {values.add(self._scope.user.pk)}"
            yield self._statements.one(
                *("classifier_impression i JOIN classifier_scan s ON s.id = i.scan_id", [reader], way, values),
                in_scans=in_scans,
            )
            return
        ranges = [
            Range(cell, facet, since=latest(cell.sealed_since, self._criteria.since))
            for cell, found in sealed.items()
            for facet in found
        ]
        yield from self._statements.merged(ranges, way, by_range=True, in_scans=in_scans, read=True)

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
            since = latest(since, cell.sealed_since)
        yield since, until

    def _patient(self, reference: str, way: Way) -> Iterator[Statement]:
        ranges = [Range(cell, reference=reference) for cell in time_cells(self._scope, self._criteria)]
        yield from self._statements.merged(ranges, way, by_range=False, in_scans=True)

    def _text(self, way: Way) -> Iterator[Rows]:
        """Yield the scans whose texts contain the words of a way.

        Frequent words are found among the next texts, as many as are expected to suffice. The scans of rare facets are
        read one by one. Otherwise the text index finds rare words, and words that few scans of a frequent facet have
        are looked for in the scans of that facet, in their order.
        """
        searches = searches_of(self._scope, self._criteria, way, place=self._place, ascending=self._ascending)
        if not self._statements.by_result:
            yield from self._text_alone(searches, way)
            return
        counts = self._counts(way)
        matching = self._matching(counts)
        total, scans = (sum(sum(found.values()) for found in facets.values()) for facets in (counts, matching))
        self._statements.facets = sorted({facet for found in matching.values() for facet in found})
        if scans <= FEW_SCANS:
            yield from self._fetched(self._by_facet(matching, way, in_scans=True))
            return
        texts = sampled(searches)
        # So many rows are read in the facets, and so many texts, until enough have a word of this share of the texts.
        if texts.long and texts.share:
            enough = self._limit / texts.share
            in_facets = sum(min(enough, number) for facets in matching.values() for number in facets.values())
            enough_texts = (self._limit + SPARE) / texts.share * total / scans
            # Of sealed results only those that have been read count: how many texts suffice is not known.
            sealed_since = earliest(*(cell.sealed_since for cell in matching))
            window = texts.end_of(AMPLE * enough_texts, before=sealed_since)
            if window is not None:
                in_facets = min(in_facets, AMPLE * enough)
            if sealed_since is not None:
                enough_texts = inf
            if in_facets < min(MOST_TEXTS, enough_texts):
                yield from self._in_facets(matching, way, window=window)
                return
        found = self._each(texts.near, way, nearest=True)
        yield from found.values()
        expected = {one: self._expected(len(found.get(one, ())), of=one.most) for one in self._short(found, texts.long)}
        # Both the index and the facets read about as many rows if the words are in this share of the texts.
        if max(expected.values(), default=0) > MOST_TEXTS and texts.share * texts.share * total > self._limit:
            yield from self._fetched(self._by_facet(matching, way, in_scans=True))
            return
        yield from self._further(expected, way)

    def _in_facets(self, matching: Facets, way: Way, *, window: datetime | None) -> Iterator[Rows]:
        """Yield the scans of facets in which the words are found: those in a window first, if it may suffice."""
        if window is not None:
            self._statements.window = window
            yield from self._fetched(self._by_facet(matching, way, in_scans=True))
            self._statements.window = None
            if self._statements.found_in(window):
                return
        yield from self._fetched(self._by_facet(matching, way, in_scans=True))

    def _text_alone(self, searches: Sequence[Search], way: Way) -> Iterator[Rows]:
        if connection.vendor == "sqlite":
            # The index of SQLite has an order: without further conditions it finds all at once.
            yield from self._each(searches, way, nearest=False).values()
            return
        found = self._each(searches, way, nearest=True)
        yield from found.values()
        long = cut_off(self._short(found, searches))
        yield from self._further({one: self._expected(len(found[one]), of=one.most) for one in long}, way)

    def _further(self, expected: Mapping[Search, float], way: Way) -> Iterator[Rows]:
        """Yield the rows of searches for which the first texts do not suffice: of more texts, or through the index."""
        more = [replace(one, most=MOST_TEXTS) for one, texts in expected.items() if texts <= MOST_TEXTS]
        rest = [one for one, texts in expected.items() if texts > MOST_TEXTS]
        if more:
            found = self._each(more, way, nearest=True)
            yield from found.values()
            rest += self._short(found, more)
        if rest:
            yield from self._each(rest, way, nearest=False).values()

    def _short(self, found: Mapping[Search, Rows], searches: Iterable[Search]) -> list[Search]:
        """Return those of the searches that found less than enough."""
        return [search for search in searches if len(found.get(search, ())) < self._limit + SPARE]

    def _expected(self, number: int, *, of: int) -> float:
        """Return how many texts are expected to suffice if so many of the first match."""
        return (self._limit + SPARE) * of / number if number else inf

    def _each(self, searches: Sequence[Search], way: Way, *, nearest: bool) -> dict[Search, Rows]:
        """Return the rows of each search, in one statement."""
        if not searches:
            return {}
        values, parts = Values(), []
        for number, search in enumerate(searches):
            # Of texts alone, so many that the first and the last moment can be cut off.
            limit = 0 if self._statements.by_result else self._limit + 2 * SPARE
            texts = search.nearest(values) if nearest else search.every(values, limit=limit)
            sql, _ = self._statements.one(texts.table, texts.where, way, values, order=texts.order)
            parts.append(f"SELECT {number}, * FROM ({sql}) k{number}")
        found: dict[Search, Rows] = {search: [] for search in searches}
        for number, *row in fetch(" UNION ALL ".join(parts), values):
            found[searches[number]].append(tuple(row))
        return found
