"""What can happen, and how it is recorded."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import transaction

from classifier.models import Event


class Kind(StrEnum):
    """The kinds of events, each named after what it happened to. Values are stored and must never change."""

    SCAN_CREATED = "scan.created"
    SCAN_DELETED = "scan.deleted"
    IMPRESSION_RECORDED = "impression.recorded"
    REVIEW_CREATED = "review.created"
    DIAGNOSIS_RECORDED = "diagnosis.recorded"
    REPORT_SIGNED = "report.signed"
    REPORT_ADDENDUM = "report.addendum"
    ANALYSIS_SUCCEEDED = "analysis.succeeded"
    ANALYSIS_FAILED = "analysis.failed"
    ANALYSIS_CANCELLED = "analysis.cancelled"


def record_events(events: Iterable[Event]) -> None:
    """Store events in the transaction of what they describe.

    Raises:
        TransactionManagementError: if no transaction is open: an event could be stored without its cause.
    """
    rows = list(events)
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("Events are recorded within the transaction of their cause.")
    Event.objects.bulk_create(rows)
