"""A list of scans as one person sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from classifier.models import Scan, User
from classifier.models.sealing import OPEN
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.find import find_scans
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.scan import visible_scans

EVERYTHING = Criteria()


@dataclass(frozen=True)
class ScanList:
    """Scans that a person may see and that match criteria, newest first.

    Attributes:
        user: the person.
        criteria: what the list is narrowed to.
    """

    user: User
    criteria: Criteria = EVERYTHING

    @cached_property
    def scope(self) -> Scope:
        """What the person may see."""
        return scope_of(self.user)

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
        scans = visible_scans(self.user).with_keys(keys)
        # Permissions and seals hold whatever was found. Other conditions would tempt SQLite away from the keys.
        if self.criteria.open_only:
            scans = scans.filter(OPEN)
        loaded = {scan.pk: scan for scan in scans}
        return [loaded[key] for key in keys if key in loaded]

    def walk(self, *, chunk: int = 500) -> Iterator[Scan]:
        """Yield all scans, newest first, as `load` returns them, in three statements for each `chunk` of them."""
        place = None
        while keys := find_scans(self.scope, self.criteria, limit=chunk, place=place):
            found = {scan.pk: scan for scan in visible_scans(self.user).with_keys(keys)}
            scans = [found[key] for key in keys if key in found]
            yield from (scan for scan in scans if not (self.criteria.open_only and scan.sealed))
            if not scans or len(keys) < chunk:
                return
            place = Place(scans[-1].created_at, scans[-1].pk, newer=False)

    def count(self, limit: int) -> int:
        """Return the number of scans, counted up to `limit`."""
        return len(find_scans(self.scope, self.criteria, limit=limit))
