"""Events for the tests of notifications."""

from django.db import transaction

from classifier.events import Kind, record_events
from classifier.models import Event


def record(kind: Kind, scan=None, actor=None, **fields) -> Event:
    with transaction.atomic():
        record_events([Event(kind=kind, scan_id=scan.pk if scan else None, actor=actor, **fields)])
    return Event.objects.latest("pk")
