"""The statements of one list, with what the rows found so far leave to look for."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from classifier.models.scan_index import Facet
from classifier.selectors.lists import conditions
from classifier.selectors.lists.cells import facet_cells
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.ranges import Range, Statement, merged, ordered, walked
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values
from classifier.selectors.lists.ways import Way

Rows = list[tuple[Any, ...]]
"""Time of the upload and key of scans."""

SPARE = 16
"""Positions do not order texts of one microsecond: so many more are read, and those of the scans cut them off."""


class Statements:
    """Builds the statements of one list.

    Attributes:
        facets: the facets of the list that have scans; None if they have not been looked up.
        window: statements of ranges leave out scans beyond this time; None for any.
    """

    def __init__(self, scope: Scope, criteria: Criteria, place: Place | None, *, limit: int, ascending: bool) -> None:
        self._scope, self._criteria, self._place = scope, criteria, place
        self._limit, self._ascending = limit, ascending
        self._found: dict[Any, Any] = {}
        self.facets: list[str] | None = None
        self.window: datetime | None = None

    @property
    def by_result(self) -> bool:
        """Whether the list is narrowed to results."""
        return bool(self._criteria.facets or self._criteria.open_only or self._criteria.sealed_only)

    def remember(self, rows: Rows) -> None:
        """Take rows that were found: later statements of ranges leave out scans that come after a full page of them."""
        self._found |= {key: created_at for created_at, key in rows}

    def found_in(self, window: datetime) -> bool:
        """Whether a full page of rows has been found in a window."""
        inside = [at for at in self._found.values() if (at <= window if self._ascending else at >= window)]
        return len(inside) >= self._limit

    def merged(
        self, ranges: list[Range], way: Way, *, by_range: bool, in_scans: bool = False, read: bool = False
    ) -> Iterator[Statement]:
        """Yield the statements of the first rows of ranges.

        Args:
            ranges: the ranges.
            way: how the words occur.
            by_range: whether the ranges say facets, and the times from which results are sealed.
            in_scans: whether the words are looked for in each scan.
            read: whether only scans count that the person has read.
        """

        def residual(values: Values) -> list[str]:
            also = [conditions.is_among_read(self._scope, values)] if read else []
            return [
                *also,
                *self._in_window(values),
                *self._residual(way, values, by_range=by_range, in_scans=in_scans),
            ]

        # PostgreSQL would rather read and sort all rows of many ranges than walk through them.
        walks = in_scans and self.by_result and connection.vendor == "sqlite"
        yield from (walked if walks else merged)(
            ranges, self._criteria, self._place, residual=residual, limit=self._limit, ascending=self._ascending
        )

    def _in_window(self, values: Values) -> list[str]:
        """Return the condition that a scan is in the window, and comes before the last one of a full page."""
        last: Any = self.window
        if len(self._found) >= self._limit:
            last = sorted(self._found.values(), reverse=not self._ascending)[self._limit - 1]
        return [f"s.created_at {'<=' if self._ascending else '>='} {values.add(last)}"] if last is not None else []

    def one(
        self, table: str, where: list[str], way: Way, values: Values, *, order: str = "", in_scans: bool = False
    ) -> Statement:
        """Return the statement of a selection that no range of an index of scans describes."""
        where = [
            *where,
            conditions.visible(self._scope, self._criteria, values),
            *conditions.in_range(self._criteria.since, self._criteria.until, self._place, values),
            *self._residual(way, values, by_range=False, in_scans=in_scans),
        ]
        limit = self._limit + SPARE if order else self._limit
        return ordered(table, where, values, limit=limit, ascending=self._ascending, order=order), values

    def _residual(self, way: Way, values: Values, *, by_range: bool, in_scans: bool = False) -> list[str]:
        """Return the conditions that the ranges do not say.

        Args:
            way: how the words occur.
            values: takes the parameters.
            by_range: whether the ranges say facets, and the times from which results are sealed.
            in_scans: whether the words are looked for here.
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
        if way.owners is not None and not by_range:
            # Beside the owner of a range, PostgreSQL would not read the range in its order.
            parts.append(f"s.owner_id IN ({values.all(list(way.owners)) or 'NULL'})")
        parts += [f"lower(s.patient_reference) = {values.add(word.lower())}" for word in way.exact]
        if in_scans:
            parts += [conditions.has_word(word, values) for word in way.indexed]
        if criteria.attention_before is not None:
            parts.append(conditions.needs_attention(self._scope, criteria.attention_before, values))
        if criteria.unread:
            parts.append(conditions.is_unread(self._scope, values))
        return parts

    def _matching_facets(self) -> list[str]:
        if self.facets is None:
            found = self._scope.facets(facet_cells(self._scope, self._criteria)).values()
            every: Iterable[str] = {facet for facets in found for facet in facets}
            self.facets = sorted(facet for facet in every if self._criteria.matches(Facet.parse(facet)))
        return self.facets
