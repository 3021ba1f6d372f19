"""Sealed first read: results stay closed to a reader until that reader has recorded an impression.

Rows that are read for a person are sealed as they are loaded: their result is taken out before any page, serializer or
export sees it, so that a new page cannot forget to hide it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

if TYPE_CHECKING:
    from classifier.models.scan import Scan
    from classifier.models.team import Team
    from classifier.models.user import User


Row = TypeVar("Row", bound=models.Model)

OPEN = Q(closed_to_reader=False)
"""Keeps rows that are open to the reader. Figures and filters on results count no others."""

WITHHELD = Q(facet__contains="|withheld|")
"""Scans whose answer the input check withholds."""

WITHHELD_ROWS = Q(scan__facet__contains="|withheld|")
"""Rows of such scans."""


class SealingQuerySet(models.QuerySet[Row]):
    """Rows that are sealed when they are loaded for a reader. Answers that the input check withholds are taken out.

    Attributes:
        scan_path: lookup from the row to its scan, with its double underscore; "" for scans.
    """

    scan_path = ""
    _reader: "User | None" = None

    def for_reader(self, user: "User") -> Self:
        """Seal the rows that are closed to `user`. Each loaded row gets `sealed`."""
        rows = self.annotate(
            closed_to_reader=Case(
                When(sealed_condition(user, path=self.scan_path), then=Value(True)),
                default=Value(False),
                output_field=models.BooleanField(),
            )
        )
        rows._reader = user
        return rows

    def iterator(self, chunk_size: int | None = None) -> Iterator[Row]:
        """Load the rows in chunks, each sealed like those of a list."""
        for row in super().iterator(chunk_size=chunk_size):
            self._prepare(row)
            self._seal(row)
            yield row

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]  # Django's own hook for attributes of a queryset
        clone._reader = self._reader
        return clone  # type: ignore[no-any-return]

    def _fetch_all(self) -> None:
        loaded = self._result_cache is not None
        super()._fetch_all()  # type: ignore[misc]
        for row in () if loaded else self._result_cache or ():
            if isinstance(row, models.Model):
                self._prepare(row)  # type: ignore[arg-type]
            self._seal(row)

    def _prepare(self, row: Row) -> None:
        """Complete a loaded row; for subclasses."""

    def _seal(self, row: Any) -> None:
        if self._reader is None or not isinstance(row, models.Model):
            return
        if getattr(row, "closed_to_reader", False):
            row.seal()  # type: ignore[attr-defined]
        else:
            row.withhold()  # type: ignore[attr-defined]


def sealed_condition(user: "User", *, path: str = "") -> Q:
    """Return the condition under which a scan is closed to `user`.

    Args:
        user: the reader.
        path: lookup from the queried row to its scan, for example "scan__".

    A scan is closed if it was uploaded after the person, or the scan's team, turned the sealed first read on, and the
    person has recorded no impression of it.
    """
    from classifier.models.review import Impression

    created_at = f"{path}created_at"
    by_team = Q(
        **{f"{path}team__sealed_reading_since__isnull": False},
        **{f"{created_at}__gte": F(f"{path}team__sealed_reading_since")},
    )
    sealed = by_team
    if user.sealed_reading_since is not None:
        sealed |= Q(**{f"{created_at}__gte": user.sealed_reading_since})
    scan_id = OuterRef(f"{path}pk" if not path else f"{path.removesuffix('__')}_id")
    return sealed & ~Q(Exists(Impression.objects.filter(scan=scan_id, reader=user)))


def is_sealed_for(scan: "Scan", user: "User", *, team: "Team | None") -> bool:
    """Return whether a scan would be closed to `user`, who has not read it, if it were shared with `team`."""
    settings = (user.sealed_reading_since, None if team is None else team.sealed_reading_since)
    return any(since is not None and scan.created_at >= since for since in settings)
