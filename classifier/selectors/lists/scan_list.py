"""A list of scans as one person sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from classifier.models import Scan, Team, User
from classifier.models.sealing import OPEN
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.find import find_scans
from classifier.selectors.lists.scope import Scope
from classifier.selectors.scan import visible_scans

OWNER_FIELDS = ("id", "username", "first_name", "last_name")
EVERYTHING = Criteria()
UNUSED = (
    *(f"owner__{field.name}" for field in User._meta.concrete_fields if field.name not in OWNER_FIELDS),
    *(f"team__{field.name}" for field in Team._meta.concrete_fields if field.name not in ("id", "name")),
    *("idempotency_key", "current_analysis__appearance", "current_analysis__logits", "current_analysis__lease_token"),
    *("current_analysis__lease_expires_at", "current_analysis__available_at"),
)
"""Columns that no list shows. To read them takes longer than to find the scans."""


@dataclass(frozen=True)
class ScanList:
    """Scans that a person may see and that match criteria, newest first.

    Attributes:
        scope: what the person may see.
        criteria: what the list is narrowed to.
    """

    scope: Scope
    criteria: Criteria = EVERYTHING

    def load(self, limit: int, *, place: Place | None = None, oldest: bool = False) -> list[Scan]:
        """Return the next scans from `place` on, at most `limit`, with owner, team, and current analysis.

        Args:
            limit: how many at most.
            place: where the list goes on; None begins at its end.
            oldest: whether the oldest come first. They do where the place says so.
        """
        keys = find_scans(self.scope, self.criteria, limit=limit, place=place, oldest=oldest)
        if not keys:
            return []
        scans = visible_scans(self.scope.user).with_keys(keys).defer(*UNUSED)
        # Permissions and seals hold whatever was found. Other conditions would tempt SQLite away from the keys.
        if self.criteria.open_only:
            scans = scans.filter(OPEN)
        loaded = {scan.pk: scan for scan in scans}
        return [loaded[key] for key in keys if key in loaded]

    def walk(self, *, chunk: int = 500) -> Iterator[Scan]:
        """Yield all scans, newest first, as `load` returns them, in three statements for each `chunk` of them."""
        place = None
        while keys := find_scans(self.scope, self.criteria, limit=chunk, place=place):
            found = {scan.pk: scan for scan in visible_scans(self.scope.user).with_keys(keys)}
            scans = [found[key] for key in keys if key in found]
            yield from (scan for scan in scans if not (self.criteria.open_only and scan.sealed))
            if not scans or len(keys) < chunk:
                return
            place = Place(scans[-1].created_at, scans[-1].pk, newer=False)

    def keys(self, limit: int, *, oldest: bool = False) -> list[UUID]:
        """Return the keys of the scans that `load` returns."""
        keys = find_scans(self.scope, self.criteria, limit=limit, oldest=oldest)
        if not self.criteria.open_only:
            return keys
        # Permissions and seals hold whatever was found.
        is_open = set(visible_scans(self.scope.user).with_keys(keys).filter(OPEN).values_list("pk", flat=True))
        return [key for key in keys if key in is_open]

    def count(self, limit: int) -> int:
        """Return the number of scans, counted up to `limit`."""
        return len(find_scans(self.scope, self.criteria, limit=limit))
