"""Reads of scans, scoped to the user: their own and those of their teams."""

from typing import TypeVar, cast
from uuid import UUID

from django.db.models import BooleanField, Case, Model, Q, QuerySet, Value, When

from classifier.models import Analysis, Scan, User
from classifier.models.scan import ScanQuerySet
from classifier.models.sealing import OPEN, WITHHELD_ROWS, sealed_condition

Row = TypeVar("Row", bound=Model)


def visible_condition(user: User, *, path: str = "") -> Q:
    """Return the condition that `user` may see a scan.

    Args:
        user: the person.
        path: lookup from the queried row to its scan, for example "scan__".
    """
    return Q(**{f"{path}owner": user}) | Q(**{f"{path}team__in": user.memberships.values("team")})


def open_condition(user: User, *, path: str) -> Q:
    """Return the condition that `user` may see a scan and its result; `path` as in `visible_condition`."""
    return visible_condition(user, path=path) & ~sealed_condition(user, path=path)


def visible_scans(user: User) -> ScanQuerySet:
    """Return every scan that `user` may see, newest first, with owner, team and current analysis in the same query.

    The results of scans that are closed to `user` are taken out (`classifier.models.sealing`). To list them, use
    `classifier.selectors.lists`: among a million scans, this query is fast only with a condition on their keys.
    """
    scans = Scan.objects.filter(visible_condition(user))
    return scans.select_related("owner", "team", "current_analysis").for_reader(user)


def open_scans(user: User) -> ScanQuerySet:
    """Return the visible scans whose result is not closed to `user`: those that figures and filters may count."""
    return visible_scans(user).filter(OPEN)


def open_rows(rows: QuerySet[Row], user: User) -> QuerySet[Row]:
    """Return the rows whose `scan` is visible, and whose result is open to `user` and not withheld, for figures."""
    visible = rows.filter(Q(scan__owner=user) | Q(scan__team__in=user.memberships.values("team")))
    closed = When(sealed_condition(user, path="scan__"), then=Value(True))
    marked = visible.alias(closed_to_reader=Case(closed, default=Value(False), output_field=BooleanField()))
    return cast("QuerySet[Row]", marked.filter(OPEN).exclude(WITHHELD_ROWS))


def get_scan(user: User, scan_id: UUID) -> Scan:
    """Return a visible scan. Raise `Scan.DoesNotExist` for any other."""
    return visible_scans(user).get(pk=scan_id)


def scan_analyses(user: User, scan: Scan) -> QuerySet[Analysis]:
    """All analyses of a visible scan, newest first."""
    analyses = Analysis.objects.filter(visible_condition(user, path="scan__"), scan=scan)
    return analyses.select_related("requested_by", "scan").for_reader(user)


def earlier_scan(user: User, scan: Scan) -> Scan | None:
    """Return the newest visible scan with the same pixels that is older than `scan`, if any."""
    same = visible_scans(user).filter(pixels_sha256=scan.pixels_sha256).exclude(pk=scan.pk)
    return same.filter(created_at__lte=scan.created_at).first()
