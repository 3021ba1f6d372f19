"""Reads of scans, scoped to the user: their own and those of their teams."""

from uuid import UUID

from django.db.models import Q, QuerySet

from classifier.models import Analysis, Scan, User
from classifier.models.scan import ScanQuerySet
from classifier.models.sealing import OPEN


def visible_scans(user: User) -> ScanQuerySet:
    """Return every scan that `user` may see, newest first, with owner, team and current analysis in the same query.

    The results of scans that are closed to `user` are taken out (`classifier.models.sealing`).
    """
    scans = Scan.objects.filter(Q(owner=user) | Q(team__in=user.memberships.values("team")))
    return scans.select_related("owner", "team", "current_analysis").for_reader(user)


def open_scans(user: User) -> ScanQuerySet:
    """Return the visible scans whose result is not closed to `user`: those that figures and filters may count."""
    return visible_scans(user).filter(OPEN)


def get_scan(user: User, scan_id: UUID) -> Scan:
    """Return a visible scan. Raise `Scan.DoesNotExist` for any other."""
    return visible_scans(user).get(pk=scan_id)


def scan_analyses(user: User, scan: Scan) -> QuerySet[Analysis]:
    """All analyses of a visible scan, newest first."""
    analyses = Analysis.objects.filter(scan__in=visible_scans(user).filter(pk=scan.pk).values("pk"))
    return analyses.select_related("requested_by").for_reader(user)


def earlier_scan(user: User, scan: Scan) -> Scan | None:
    """Return the newest visible scan with the same pixels that is older than `scan`, if any."""
    same = visible_scans(user).filter(pixels_sha256=scan.pixels_sha256).exclude(pk=scan.pk)
    return same.filter(created_at__lte=scan.created_at).first()
