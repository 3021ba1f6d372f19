"""Store explanations of results."""

import structlog
from django.db import IntegrityError, transaction

from classifier.models import Analysis, Explanation, Scan, User
from classifier.permissions import can_view
from classifier.services.errors import Conflict, NotAllowed, Sealed

logger = structlog.get_logger(__name__)

REFUSED = "You don't have permission to explain this scan."


def explainable_analysis(scan: Scan, *, by: User) -> Analysis:
    """Return the analysis of a scan that an explanation is about.

    Args:
        scan: as loaded by a selector for `by`.
        by: the person who asks.

    Raises:
        NotAllowed: if the person cannot see the scan.
        Sealed: if the result is closed to the person.
        Conflict: if the current analysis has no result.
    """
    if not can_view(by, scan):
        raise NotAllowed(REFUSED)
    if scan.closed:
        raise Sealed
    analysis = scan.current_analysis
    if analysis is None or not analysis.outcome:
        raise Conflict(
            "The current analysis of this scan has no result to explain. Ask again when it has succeeded.",
            code="no_result",
        )
    return analysis


def store_explanation(analysis: Analysis, *, by: User, provider: str, text: str) -> Explanation:
    """Store a finished explanation. An equal one of the same analysis is returned instead of stored again.

    Raises:
        Conflict: if the scan was deleted.
    """
    try:
        with transaction.atomic():
            same = Explanation.objects.filter(analysis=analysis, provider=provider, text=text).first()
            return same or Explanation.objects.create(
                scan_id=analysis.scan_id, analysis=analysis, requested_by=by, provider=provider, text=text
            )
    except IntegrityError as error:
        raise Conflict("This scan was deleted. Nothing was stored.", code="scan_deleted") from error
