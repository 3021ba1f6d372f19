"""Retry or dismiss many analyses that need attention."""

from collections.abc import Iterable
from uuid import UUID

from classifier.models import Analysis, Dismissal, User
from classifier.selectors.attention import attention
from classifier.services.analysis import retry_analysis
from classifier.services.errors import ServiceError


def retry(user: User, scan_ids: Iterable[UUID]) -> tuple[int, int]:
    """Request new analyses of failed scans of `user`.

    Returns:
        How many were queued, and how many of the others were skipped: they did not fail, or are queued already.
    """
    wanted = set(scan_ids)
    queued = 0
    for scan in attention(user).failed:
        if scan.pk not in wanted:
            continue
        try:
            retry_analysis(scan, by=user)
        except ServiceError:
            continue
        queued += 1
    return queued, len(wanted) - queued


def dismiss(user: User, scan_ids: Iterable[UUID]) -> int:
    """Take scans off the list until they are analyzed again. Return how many."""
    found = attention(user)
    wanted = set(scan_ids)
    analyses: list[Analysis] = [
        scan.current_analysis
        for scan in (*found.failed, *found.refused, *found.waiting)
        if scan.pk in wanted and scan.current_analysis is not None
    ]
    Dismissal.objects.bulk_create(
        [Dismissal(user=user, analysis_id=analysis.pk) for analysis in analyses], ignore_conflicts=True
    )
    return len(analyses)
