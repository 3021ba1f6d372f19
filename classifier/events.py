"""The kinds of events, and how to record them."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import transaction

from classifier.models import Event


class Kind(StrEnum):
    """The kinds of events, named after their subject. The values are stored and must never change."""

    SCAN_CREATED = "scan.created"
    SCAN_DELETED = "scan.deleted"
    INPUT_ACCEPTED = "scan.input_accepted"
    IMPRESSION_RECORDED = "impression.recorded"
    REVIEW_CREATED = "review.created"
    DIAGNOSIS_RECORDED = "diagnosis.recorded"
    REPORT_SIGNED = "report.signed"
    REPORT_ADDENDUM = "report.addendum"
    ASSISTANT_CONFIGURED = "assistant.configured"
    ASSISTANT_REQUESTED = "assistant.requested"
    ASSISTANT_CHECKED = "assistant.checked"
    ANALYSIS_SUCCEEDED = "analysis.succeeded"
    ANALYSIS_FAILED = "analysis.failed"
    ANALYSIS_CANCELLED = "analysis.cancelled"
    COMMISSIONING_STARTED = "commissioning.started"
    COMMISSIONING_CASES_ADDED = "commissioning.cases_added"
    COMMISSIONING_CASE_REMOVED = "commissioning.case_removed"
    COMMISSIONING_CASE_LOST = "commissioning.case_lost"
    COMMISSIONING_CLOSED = "commissioning.closed"
    SITE_CALIBRATION_ON = "site_calibration.on"
    SITE_CALIBRATION_OFF = "site_calibration.off"
    MODEL_CHANGED = "model.changed"


def record_events(events: Iterable[Event]) -> None:
    """Store events in the transaction of the change that they describe.

    Raises:
        TransactionManagementError: If no transaction is open: an event could be stored without its change.
    """
    rows = list(events)
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("Events are recorded within the transaction of their cause.")
    Event.objects.bulk_create(rows)
