"""Keyset pagination: every page costs as much as the first, however deep."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from classifier.models import Scan

# Fills about one screen, and its thumbnails load quickly on a slow connection.
PAGE_LENGTH = 25


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position between two scans: the scan it lies next to, and whether the page holds newer or older ones."""

    created_at: datetime
    scan_id: UUID
    newer: bool

    def encode(self) -> str:
        """Return the cursor as URL-safe text."""
        text = f"{'n' if self.newer else 'o'}|{self.created_at.isoformat()}|{self.scan_id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> "Cursor | None":
        """Return the cursor of URL-safe text; `None` for anything that `encode` did not return."""
        try:
            text = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
            direction, created_at, scan_id = text.split("|")
            moment = datetime.fromisoformat(created_at)
            if moment.tzinfo is None:
                return None
            # Near the first and last dates, converting the offset can overflow.
            return cls(moment.astimezone(UTC), UUID(scan_id), newer=direction == "n")
        except (ValueError, OverflowError, binascii.Error):
            return None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of scans, newest first, and the cursors of its neighbors ("" if there is none)."""

    scans: list[Scan]
    newer: str
    older: str


def page_of(scans: QuerySet[Scan], *, cursor: str = "", length: int = PAGE_LENGTH) -> Page:
    """Return the page of `scans` at `cursor`; the first page for an empty or invalid cursor.

    Args:
        scans: any queryset of scans; it is reordered, newest first.
        cursor: `Page.newer` or `Page.older` of another page.
        length: scans per page.
    """
    place = Cursor.decode(cursor) if cursor else None
    backwards = place is not None and place.newer
    order = ("created_at", "pk") if backwards else ("-created_at", "-pk")
    rows = list(_beyond(scans, place).order_by(*order)[: length + 1])
    more = len(rows) > length
    rows = rows[:length]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], "", "")
    has_newer = more if backwards else place is not None
    has_older = True if backwards else more
    newer = Cursor(rows[0].created_at, rows[0].pk, newer=True).encode() if has_newer else ""
    older = Cursor(rows[-1].created_at, rows[-1].pk, newer=False).encode() if has_older else ""
    return Page(rows, newer, older)


def _beyond(scans: QuerySet[Scan], place: Cursor | None) -> QuerySet[Scan]:
    if place is None:
        return scans
    # The first condition alone lets the index start at the right row; the second leaves out ties already shown.
    if place.newer:
        return scans.filter(
            Q(created_at__gt=place.created_at) | Q(pk__gt=place.scan_id), created_at__gte=place.created_at
        )
    return scans.filter(Q(created_at__lt=place.created_at) | Q(pk__lt=place.scan_id), created_at__lte=place.created_at)
