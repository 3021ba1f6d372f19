"""Keyset pagination: every page costs as much as the first, however deep."""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from classifier.selectors.lists.criteria import Place

Row = TypeVar("Row", bound=Any)


class RowList(Protocol[Row]):
    """A list that can be loaded from a place on, such as `ScanList`."""

    def load(self, limit: int, *, place: Place | None = None) -> list[Row]:
        """Return the next rows, in the order of the place."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of rows, newest first, and the cursors of its neighbors ("" if there is none)."""

    rows: list[Row]
    newer: str
    older: str


def page_of(found: RowList[Row], *, length: int, place: Place | None = None) -> Page[Row]:
    """Return the page of a list at a place; the first page for None.

    Args:
        found: A list of scans or of batches.
        length: Rows per page.
        place: From `Page.newer` or `Page.older` of another page.
    """
    backwards = place is not None and place.newer
    rows = found.load(length + 1, place=place)
    more = len(rows) > length
    rows = rows[:length]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], "", "")
    has_newer = more if backwards else place is not None
    has_older = True if backwards else more
    newer = Place(rows[0].created_at, rows[0].pk, newer=True).encode() if has_newer else ""
    older = Place(rows[-1].created_at, rows[-1].pk, newer=False).encode() if has_older else ""
    return Page(rows, newer, older)
