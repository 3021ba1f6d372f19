"""The ways in which the words of a search can occur in a scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from django.db.models import Q

from classifier.models import User
from classifier.selectors.lists.criteria import MIN_INDEXED


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


def ways_of(words: tuple[str, ...]) -> Iterator[Way]:
    """Yield the ways in which all words can occur: each in the text, or in the name of the owner; in one query."""
    owners_of = _owners_by_word(words)
    for chosen in product(*((None, owners) if (owners := owners_of[word]) else (None,) for word in words)):
        in_text = [word for word, owners in zip(words, chosen, strict=True) if owners is None]
        sets = [set(owners) for owners in chosen if owners is not None]
        if sets and not set.intersection(*sets):
            continue
        yield Way(
            indexed=tuple(word for word in in_text if len(word) >= MIN_INDEXED),
            exact=tuple(word for word in in_text if len(word) < MIN_INDEXED),
            owners=tuple(sorted(set.intersection(*sets))) if sets else None,
        )


def _owners_by_word(words: tuple[str, ...]) -> dict[str, list[int]]:
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
