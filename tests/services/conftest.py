"""What the tests of notifications start from."""

import pytest

from classifier.events import Kind
from classifier.models import EventCursor, Notification
from classifier.services import notification as service
from classifier.services.review import submit_review
from tests.services.notification_events import record


@pytest.fixture
def start(db) -> int:
    """Let the cursor stand before the next event. PostgreSQL continues identifiers from test to test."""
    newest = record(Kind.SCAN_CREATED).pk
    EventCursor.objects.update_or_create(name=service.CURSOR, defaults={"event_id": newest})
    return newest


@pytest.fixture
def due(team_scan, owner, teammate):
    owner.notification_choices = {kind: ["page", "email"] for kind in Notification.Kind.values}
    owner.save()
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
    service.make_notifications()
    return Notification.objects.get()
