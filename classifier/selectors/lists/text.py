"""Text search: a full-text index of SQLite or PostgreSQL, behind one function."""

import re
from dataclasses import dataclass

from django.db.models import Q

from classifier.models import User
from classifier.models.derived.texts import FTS, OWNER_KEY, TEAM_KEY, key_word
from classifier.selectors.lists.criteria import MIN_INDEXED, Criteria, Place
from classifier.selectors.lists.scope import Scope
from classifier.selectors.lists.sql import Values, contains

PART = 3
"""Characters of a word of the index."""
MAX_PARTS = 4
"""More parts of a word hardly exclude more texts, and each costs a list to read."""
NEAREST = 2000
"""PostgreSQL reads so many texts in their order first: they have enough matches of every frequent word."""
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


def indexed_texts(
    scope: Scope, criteria: Criteria, way: Way, values: Values, *, place: Place | None
) -> tuple[str, list[str], str]:
    """Return tables, conditions, and position of the texts of SQLite's index that contain words, of visible scans.

    The index has no positions of words within texts, and each word is at most `MAX_PARTS` of its parts. The texts
    themselves are compared with the whole words.
    """
    kinds = {"owner_number": OWNER_KEY, "team_number": TEAM_KEY}
    parts = [" OR ".join(f'"{key_word(kinds[column], number)}"' for column, number in text_keys(scope, criteria))]
    if way.owners is not None:
        parts.append(" OR ".join(f'"{key_word(OWNER_KEY, owner)}"' for owner in way.owners))
    parts += [_quoted(part) for part in dict.fromkeys(part for word in way.indexed for part in _parts(word))]
    where = [f"{FTS} MATCH {values.add(' AND '.join(f'({part})' for part in parts))}"]
    where += _positions(criteria, place, values, column=f"{FTS}.rowid")
    where += [_text_contains(word, values) for word in way.indexed]
    # CROSS JOIN keeps the order: the index first, newest first, until there are enough.
    texts = f"{FTS} CROSS JOIN classifier_scantext t ON t.id = {FTS}.rowid"
    return f"{texts} CROSS JOIN classifier_scan s ON s.id = t.scan_id", where, f"{FTS}.rowid"


def nearest_texts(
    key: tuple[str, int], criteria: Criteria, way: Way, values: Values, *, place: Place | None, ascending: bool
) -> tuple[str, list[str], str]:
    """Return tables, conditions, and position of those of the next `NEAREST` texts of a key that contain words."""
    inner = [f"{key[0]} = {values.add(key[1])}", *_positions(criteria, place, values, column="id")]
    order = "ASC" if ascending else "DESC"
    texts = f"SELECT * FROM classifier_scantext WHERE {' AND '.join(inner)} ORDER BY id {order} LIMIT {NEAREST}"
    where = [contains("t.text", word, values) for word in way.indexed]
    return f"({texts}) t JOIN classifier_scan s ON s.id = t.scan_id", where, "t.id"


def all_texts(
    key: tuple[str, int], criteria: Criteria, way: Way, values: Values, *, place: Place | None
) -> tuple[str, list[str], str]:
    """Return tables, conditions, and position of the texts of a key that contain words, through PostgreSQL's index."""
    where = [f"t.{key[0]} = {values.add(key[1])}", *(contains("t.text", word, values) for word in way.indexed)]
    where += _positions(criteria, place, values, column="t.id")
    # Ordered by the plain key, PostgreSQL would rather read all texts of everybody in their order.
    return "classifier_scantext t JOIN classifier_scan s ON s.id = t.scan_id", where, "t.id + 0"


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


def _text_contains(word: str, values: Values) -> str:
    if word.isascii():
        return contains("t.text", word, values)
    # SQLite's LIKE tells upper from lower case in other letters.
    return f"t.text REGEXP {values.add(f'(?i){re.escape(word)}')}"


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
