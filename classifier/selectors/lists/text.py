"""Text search: a full-text index of SQLite or PostgreSQL, behind one function."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from django.db import connection

from classifier.models.derived.texts import FTS, OWNER_KEY, TEAM_KEY, key_word
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, contains, fetch
from classifier.selectors.lists.ways import Way

PART = 3
"""Characters of a word of the index."""
MAX_PARTS = 4
"""More parts of a word hardly exclude more texts, and each costs a list to read."""
MICROSECONDS = 1_000_000
POSITIONS = 1024
"""Positions within a microsecond; see `classifier.models.derived.texts`."""
SCANS = "CROSS JOIN LATERAL (SELECT * FROM classifier_scan x WHERE x.id = t.scan_id OFFSET 0) s"
"""The scans of texts on PostgreSQL: OFFSET keeps it from reading all scans that are visible and pass the filters."""
SLACK = 2 * POSITIONS
"""Keys of texts of one moment are not exact; the scan's own time is compared, too."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A selection of texts `t` and their scans `s`.

    Attributes:
        table: what follows FROM.
        where: its conditions.
        order: what follows ORDER BY: the order of the uploads.
    """

    table: str
    where: list[str]
    order: str


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The texts, of visible scans, that contain the words of a way.

    Attributes:
        scope: what the person may see.
        criteria: what the list is narrowed to.
        way: how the words occur.
        place: where the list goes on.
        ascending: whether the oldest come first.
        most: how many texts `nearest` reads at most.
        first: the value of `most` with which a search begins.
    """

    scope: Scope
    criteria: Criteria
    way: Way
    place: Place | None
    ascending: bool
    most: int

    first: ClassVar[int]

    def nearest(self, values: Values) -> Texts:
        """Return those among the next texts."""
        raise NotImplementedError

    def every(self, values: Values, *, limit: int = 0) -> Texts:
        """Return all; or the first, at most `limit`, of which nothing else but the time of the upload is asked."""
        raise NotImplementedError

    def _positions(self, values: Values, *, column: str) -> list[str]:
        return _positions(self.criteria, self.place, values, column=column)

    def _owners(self) -> tuple[int, ...] | None:
        """Return the owners that texts must have beside the keys of `text_keys`; None for any."""
        if not (self.criteria.mine and self.criteria.team is not None):
            return self.way.owners
        own = self.scope.user.pk
        return (own,) if self.way.owners is None or own in self.way.owners else ()

    def _conditions(self, values: Values) -> list[str]:
        """Return the conditions on single texts."""
        where = [contains("t.text", word, values) for word in self.way.indexed]
        if (owners := self._owners()) is not None:
            where.append(f"t.owner_number IN ({values.all(list(owners)) or 'NULL'})")
        return where


@dataclass(frozen=True, slots=True, eq=False)
class FtsSearch(Search):
    """A search through the full-text index of SQLite, which has the order of the uploads.

    The index has no positions of words within texts, and each word is at most `MAX_PARTS` of its parts. The texts
    themselves are compared with the whole words.

    Attributes:
        found: keys of all texts with all parts of the words; None if they are not known.
    """

    found: tuple[int, ...] | None = None

    first: ClassVar[int] = 1500
    """If so many texts have all parts of the words, then the words are frequent."""

    def nearest(self, values: Values) -> Texts:
        """Return those among the next texts with all parts of the words."""
        texts = self.every(values)
        if self.found is not None:
            return texts
        last = (
            f"SELECT {FTS}.rowid FROM {FTS} WHERE {self._found(values)} ORDER BY {FTS}.rowid {self._direction} "
            f"LIMIT 1 OFFSET {self.most - 1}"
        )
        sign, end = ("<=", 2**63 - 1) if self.ascending else (">=", -(2**63))
        return replace(texts, where=[*texts.where, f"{FTS}.rowid {sign} coalesce(({last}), {end})"])

    def every(self, values: Values, *, limit: int = 0) -> Texts:
        """Return all: the index has their order, so that a limit is not needed."""
        if self.found is not None:
            # CROSS JOIN: the plan begins with the keys.
            keys = (
                f"json_each({values.add(json.dumps(self.found))}) k CROSS JOIN classifier_scantext t ON t.id = k.value"
            )
            table = f"{keys} CROSS JOIN classifier_scan s ON s.id = t.scan_id"
            return Texts(table, self._conditions(values) or ["TRUE"], f"t.id {self._direction}")
        where = self._found(values)
        # CROSS JOIN keeps the order: the index first, newest first, until there are enough.
        texts = f"{FTS} CROSS JOIN classifier_scantext t ON t.id = {FTS}.rowid"
        table = f"{texts} CROSS JOIN classifier_scan s ON s.id = t.scan_id"
        return Texts(table, [where, *self._conditions(values)], f"{FTS}.rowid {self._direction}")

    def sample(self, values: Values) -> str:
        """Return the query of the keys of texts with all parts of the words, at most `most`."""
        return f"SELECT rowid FROM {FTS} WHERE {self._found(values)} LIMIT {self.most}"

    def _found(self, values: Values) -> str:
        kinds = {"owner_number": OWNER_KEY, "team_number": TEAM_KEY}
        parts = [[(kinds[column], number) for column, number in text_keys(self.scope, self.criteria)]]
        if (owners := self._owners()) is not None:
            parts.append([(OWNER_KEY, owner) for owner in owners])
        texts = [" OR ".join(f'"{key_word(*key)}"' for key in part) for part in parts]
        texts += [_quoted(part) for part in dict.fromkeys(part for word in self.way.indexed for part in _parts(word))]
        where = [f"{FTS} MATCH {values.add(' AND '.join(f'({text})' for text in texts))}"]
        return " AND ".join([*where, *self._positions(values, column=f"{FTS}.rowid")])

    @property
    def _direction(self) -> str:
        return "ASC" if self.ascending else "DESC"


@dataclass(frozen=True, slots=True, eq=False)
class TrigramSearch(Search):
    """A search among the texts of one owner or team on PostgreSQL, whose index of words has no order.

    Attributes:
        key: column and number of the owner or the team.
    """

    key: tuple[str, int]

    first: ClassVar[int] = 1500
    """So many texts have enough matches of a frequent word, and to read them takes a few milliseconds."""

    def nearest(self, values: Values) -> Texts:
        """Return those among the next texts."""
        return Texts(f"({self._next(values)}) t {SCANS}", self._conditions(values), self._order("t."))

    def every(self, values: Values, *, limit: int = 0) -> Texts:
        """Return all, through the index of words."""
        where = [f"t.{self.key[0]} = {values.add(self.key[1])}", *self._conditions(values)]
        where += self._positions(values, column="t.id")
        # Ordered by the plain key, PostgreSQL would rather read all texts of everybody in their order.
        order = f"t.id + 0 {'ASC' if self.ascending else 'DESC'}"
        if not limit:
            return Texts(f"classifier_scantext t {SCANS}", where, order)
        texts = f"SELECT t.id, t.scan_id FROM classifier_scantext t WHERE {' AND '.join(where)} ORDER BY {order}"
        return Texts(f"({texts} LIMIT {limit}) t {SCANS}", ["TRUE"], order)

    def sample(self, values: Values) -> str:
        """Return the query of what `nearest` reads: texts, those that contain the words, first and last key."""
        words = " AND ".join(self._conditions(values))
        return f"SELECT count(*), count(*) FILTER (WHERE {words}), min(id), max(id) FROM ({self._next(values)}) t"

    def number(self, values: Values) -> str:
        """Return the query of the number of texts that `nearest` reads, whatever they contain."""
        return f"SELECT count(*) FROM ({self._next(values, columns='id')}) t"

    def _next(self, values: Values, *, columns: str = "*") -> str:
        # The condition is no plain equation: PostgreSQL would take the column out of the order, and could then read
        # the texts of everybody, to leave out those of others.
        where = [f"{self.key[0]} = ANY(ARRAY[{values.add(self.key[1])}])", *self._positions(values, column="id")]
        texts = f"SELECT {columns} FROM classifier_scantext WHERE {' AND '.join(where)}"
        return f"{texts} ORDER BY {self._order()} LIMIT {self.most}"

    def _order(self, table: str = "") -> str:
        column, place = f"{table}{self.key[0]}", f"{table}id"
        return f"{column} DESC, {place} ASC" if self.ascending else f"{column} ASC, {place} DESC"


def searches_of(
    scope: Scope, criteria: Criteria, way: Way, *, place: Place | None, ascending: bool
) -> Sequence[Search]:
    """Return the searches that together find the texts of visible scans; some texts are found by two."""
    if connection.vendor == "sqlite":
        return [FtsSearch(scope, criteria, way, place, ascending, FtsSearch.first)]
    keys = text_keys(scope, criteria)
    return [TrigramSearch(scope, criteria, way, place, ascending, TrigramSearch.first, key) for key in keys]


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the next texts say about searches.

    Attributes:
        near: the searches of which `nearest` finds something.
        long: those of frequent words: `nearest` leaves out texts.
        share: the share of the texts of `long` that contains the words.
        spans: of each search that found texts, their number, and the least and the greatest of their keys; empty if
            they are not known.
        ascending: whether the oldest come first.
    """

    near: Sequence[Search]
    long: Sequence[Search]
    share: float
    spans: Sequence[tuple[int, int, int]] = ()
    ascending: bool = False

    def end_of(self, number: float, *, before: datetime | None = None) -> datetime | None:
        """Return the time at which so many next texts end if they lie as close as those that were read.

        None if it is not known. If the newest come first, texts from `before` on do not count.
        """
        if not self.spans:
            return None
        reach = int(number / sum(texts / max(1, last - first) for texts, first, last in self.spans))
        key = min(first for _, first, _ in self.spans) + reach
        if not self.ascending:
            begin = max(last for _, _, last in self.spans)
            if before is not None:
                begin = min(begin, int(before.timestamp() * MICROSECONDS) * POSITIONS)
            key = begin - reach
        return datetime.fromtimestamp(_clamped(key) / POSITIONS / MICROSECONDS, UTC)


def sampled(searches: Sequence[Search]) -> Sampled:
    """Look at the next texts of some searches, as many as `nearest` reads."""
    if connection.vendor == "sqlite":
        known = [_known(search) for search in searches if isinstance(search, FtsSearch)]
        long = [search for search in known if search.found is None]
        return Sampled([search for search in known if search.found != ()], long, float(bool(long)))
    return _counted([search for search in searches if isinstance(search, TrigramSearch)])


def _known(search: FtsSearch) -> FtsSearch:
    """Return the search with the keys of its texts if they are few: a second look into the index takes as long."""
    values = Values()
    keys = tuple(key for (key,) in fetch(search.sample(values), values))
    return search if len(keys) >= search.most else replace(search, found=keys)


def _counted(searches: list[TrigramSearch]) -> Sampled:
    if not searches:
        return Sampled([], [], 0.0)
    values = Values()
    parts = [f"SELECT {number}, f.* FROM ({search.sample(values)}) f" for number, search in enumerate(searches)]
    read = {number: counts for number, *counts in fetch(" UNION ALL ".join(parts), values)}
    near = [search for number, search in enumerate(searches) if read[number][1]]
    long = [number for number, search in enumerate(searches) if read[number][0] >= search.most]
    share = sum(read[number][1] for number in long) / max(1, sum(read[number][0] for number in long))
    spans = [(texts, first, last) for texts, _, first, last in read.values() if texts]
    return Sampled(near, [searches[number] for number in long], share, spans, searches[0].ascending)


def cut_off(searches: Sequence[Search]) -> list[Search]:
    """Return the searches, on PostgreSQL, of which `nearest` leaves out texts."""
    values = Values()
    counts = [f"SELECT {n}, ({s.number(values)})" for n, s in enumerate(searches) if isinstance(s, TrigramSearch)]
    read = fetch(" UNION ALL ".join(counts), values) if counts else []
    return [searches[number] for number, texts in read if texts >= searches[number].most]


def text_keys(scope: Scope, criteria: Criteria) -> list[tuple[str, int]]:
    """Return the columns and numbers that tell the texts of visible scans."""
    if criteria.team is not None:
        return [("team_number", criteria.team)]
    own = ("owner_number", scope.user.pk)
    return [own] if criteria.mine else [own, *(("team_number", team) for team in scope.teams)]


def _parts(word: str) -> list[str]:
    """Return parts of three characters, spread over the word and without overlap where it is long enough."""
    last = len(word) - PART
    number = min(MAX_PARTS, -(-len(word) // PART))
    return [word[begin : begin + PART] for begin in (round(last * n / max(1, number - 1)) for n in range(number))]


def _quoted(part: str) -> str:
    escaped = part.replace('"', '""')
    return f'"{escaped}"'


def _positions(criteria: Criteria, place: Place | None, values: Values, *, column: str) -> list[str]:
    """Return conditions on the key of a text, which is made of the time of the upload."""
    low = [criteria.since] if criteria.since else []
    high = [criteria.until] if criteria.until else []
    if place is not None:
        (low if place.newer else high).append(place.created_at)
    parts = []
    if low:
        at = max(low).timestamp()
        parts.append(f"{column} >= {values.add(_clamped(int(at * MICROSECONDS) * POSITIONS - SLACK))}")
    if high:
        at = min(high).timestamp()
        parts.append(f"{column} <= {values.add(_clamped((int(at * MICROSECONDS) + 1) * POSITIONS + SLACK))}")
    return parts


def _clamped(number: int) -> int:
    """Return a number that the databases' 64-bit integers hold: times at the ends of the calendar do not."""
    return max(-(2**63), min(number, 2**63 - 1))
