"""Reads of scans, scoped to a person: their own, and those of their teams."""

from uuid import UUID

from django.db.models import Q, QuerySet

from classifier.models import Analysis, Scan, User


def visible_scans(user: User) -> QuerySet[Scan]:
    """Every scan `user` may see, newest first, with owner, team and current analysis in the same query."""
    return Scan.objects.filter(Q(owner=user) | Q(team__in=user.memberships.values("team"))).select_related(
        "owner", "team", "current_analysis"
    )


def get_scan(user: User, scan_id: UUID) -> Scan:
    """One visible scan. Raises `Scan.DoesNotExist` for any other."""
    return visible_scans(user).get(pk=scan_id)


def scan_analyses(user: User, scan: Scan) -> QuerySet[Analysis]:
    """All analyses of a visible scan, newest first."""
    return Analysis.objects.filter(scan__in=visible_scans(user).filter(pk=scan.pk).values("pk")).select_related(
        "requested_by"
    )


def earlier_scan(user: User, scan: Scan) -> Scan | None:
    """The newest visible scan of the same pixels that came before `scan`, if any."""
    same = visible_scans(user).filter(pixels_sha256=scan.pixels_sha256).exclude(pk=scan.pk)
    return same.filter(created_at__lte=scan.created_at).first()
