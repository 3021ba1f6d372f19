"""Make the messages to webhooks from events."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from classifier.events import Kind
from classifier.models import Event, Scan, User, Webhook, WebhookDelivery
from classifier.selectors.scan import visible_condition
from classifier.services.event_reader import read_events
from classifier.services.webhook import EVENTS

CURSOR = "webhooks"
KEPT = timedelta(days=30)
MAX_DELETED = 1000


def make_messages(*, site: str) -> int:
    """Read new events and queue the messages about them. Return the number of events read.

    Args:
        site: URL of the installation, without a slash at the end; "" if it is not known.
    """

    def handle(events: list[Event]) -> None:
        WebhookDelivery.objects.bulk_create(_messages(events, site), ignore_conflicts=True)

    return read_events(CURSOR, handle, from_now_on=True)


def remove_old_messages() -> int:
    """Delete messages that are older than `KEPT`. Return the number."""
    old = WebhookDelivery.objects.filter(created_at__lt=timezone.now() - KEPT).values_list("pk", flat=True)
    return WebhookDelivery.objects.filter(pk__in=list(old[:MAX_DELETED])).delete()[0]


def _messages(events: list[Event], site: str) -> list[WebhookDelivery]:
    events = [event for event in events if event.kind in EVENTS]
    webhooks = Webhook.objects.filter(owner__is_active=True).select_related("owner") if events else []
    now = timezone.now()
    visible: dict[int, set[UUID]] = {}
    made = []
    for webhook in webhooks:
        wanted = [event for event in events if event.kind in webhook.events and event.at >= webhook.created_at]
        scans = {event.scan_id for event in wanted if event.scan_id}
        if scans and webhook.owner_id not in visible:
            visible[webhook.owner_id] = _visible(webhook.owner, events)
        made += [
            WebhookDelivery(
                webhook=webhook, message_id=f"event_{event.pk}", event=event.kind, body=_body(event, site), due_at=now
            )
            for event in wanted
            if event.scan_id is None or event.scan_id in visible[webhook.owner_id]
        ]
    return made


def _visible(owner: User, events: list[Event]) -> set[UUID]:
    keys = {event.scan_id for event in events if event.scan_id}
    return set(Scan.objects.filter(visible_condition(owner), pk__in=keys).values_list("pk", flat=True))


def _body(event: Event, site: str) -> dict[str, Any]:
    """Return the message: what happened to what, and where to read it. The receiver's token decides what it sees."""
    data: dict[str, Any] = {}
    if event.kind == Kind.MODEL_CHANGED:
        data = {key: event.payload.get(key) for key in ("model", "before", "version")}
    if event.scan_id is not None:
        url = site + reverse("api:scan-detail", args=[event.scan_id])
        data = {"scan": str(event.scan_id), "scan_url": url}
    if event.analysis_id is not None:
        data["analysis"] = str(event.analysis_id)
    return {"type": event.kind, "timestamp": event.at.isoformat(), "data": data}
