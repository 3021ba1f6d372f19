"""Text search: a full-text index of SQLite or PostgreSQL, behind one function."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from classifier.models import User
from classifier.models.derived.texts import FTS, OWNER_KEY, TEAM_KEY, key_word
from classifier.selectors.lists.criteria import MIN_INDEXED, Criteria, Place
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, contains

MICROSECONDS = 1_000_000
POSITIONS = 1024
"""Positions within a microsecond; see `classifier.models.derived.texts`."""
SLACK = 2 * POSITIONS
"""Keys of texts of one moment are not exact; the scan's own time is compared, too."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which the words of a search can occur in a scan.

    Attributes:
        indexed: words that the text contains.
        exact: words that are the whole patient reference.
        owners: keys of the people whose names contain the other words; None without such words.
    """

    indexed: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    owners: tuple[int, ...] | None = None


def owners_by_word(words: tuple[str, ...]) -> dict[str, list[int]]:
    """Return for each word the people whose name contains it, or begins with it if it is short; in one query."""
    if not words:
        return {}
    names = ("username", "first_name", "last_name")
    rows = list(User.objects.order_by("pk").values_list("pk", *names))
    found: dict[str, list[int]] = {}
    for word in words:
        wanted = word.lower()
        found[word] = [pk for pk, *texts in rows if any(_has(text.lower(), wanted) for text in texts)]
    return found


def _has(name: str, word: str) -> bool:
    return name.startswith(word) if len(word) < MIN_INDEXED else word in name


def word_condition(word: str) -> Q:
    """Return the condition of a word as the ORM writes it, for the scans that were found.

    Words of fewer than three characters are the whole patient reference, or begin a name of the owner.
    """
    if len(word) < MIN_INDEXED:
        text, name = Q(patient_reference__iexact=word), "istartswith"
    else:
        text, name = Q(patient_reference__icontains=word) | Q(notes__icontains=word), "icontains"
    for field in ("username", "first_name", "last_name"):
        text |= Q(**{f"owner__{field}__{name}": word})
    return text


def text_position() -> str:
    """Return the column whose order the index has."""
    return f"{FTS}.rowid" if connection.vendor == "sqlite" else "t.id"


def text_selections(
    scope: Scope, criteria: Criteria, way: Way, *, place: Place | None
) -> Iterator[tuple[str, list[str], Values]]:
    """Yield tables, conditions, and values of selections of texts that contain words, of scans that are visible.

    The order of a selection is that of `text_position`, newest last.
    """
    if connection.vendor == "sqlite":
        yield _sqlite(scope, criteria, way, place=place)
        return
    for column, number in _keys(scope, criteria):
        values = Values()
        where = [f"t.{column} = {values.add(number)}", *(contains("t.text", word, values) for word in way.indexed)]
        if way.owners is not None:
            where.append(f"t.owner_number IN ({values.all(list(way.owners)) or 'NULL'})")
        where += _positions(criteria, place, values, column="t.id")
        yield "classifier_scantext t JOIN classifier_scan s ON s.id = t.scan_id", where, values


def _keys(scope: Scope, criteria: Criteria) -> list[tuple[str, int]]:
    if criteria.team is not None:
        return [("team_number", criteria.team)]
    own = ("owner_number", scope.user.pk)
    return [own] if criteria.mine else [own, *(("team_number", team) for team in scope.teams)]


def _sqlite(scope: Scope, criteria: Criteria, way: Way, *, place: Place | None) -> tuple[str, list[str], Values]:
    kinds = {"owner_number": OWNER_KEY, "team_number": TEAM_KEY}
    keys = " OR ".join(f'"{key_word(kinds[column], number)}"' for column, number in _keys(scope, criteria))
    parts = [f"keys : ({keys})"]
    if way.owners is not None:
        owners = " OR ".join(f'"{key_word(OWNER_KEY, owner)}"' for owner in way.owners)
        parts.append(f"keys : ({owners})")
    for word in way.indexed:
        quoted = word.replace('"', '""')
        parts.append(f'text : "{quoted}"')
    values = Values()
    where = [f"{FTS} MATCH {values.add(' AND '.join(parts))}"]
    where += _positions(criteria, place, values, column=f"{FTS}.rowid")
    # CROSS JOIN keeps the order: the index first, newest first, until there are enough.
    texts = f"{FTS} CROSS JOIN classifier_scantext t ON t.id = {FTS}.rowid"
    table = f"{texts} CROSS JOIN classifier_scan s ON s.id = t.scan_id"
    return table, where, values


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
