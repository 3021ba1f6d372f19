"""Create, switch, and delete webhooks, and send failed messages again."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from classifier.events import Kind
from classifier.models import User, Webhook, WebhookDelivery
from classifier.models.webhook import MAX_URL
from classifier.services.errors import Conflict, Invalid
from classifier.services.secrets import derived_key

logger = structlog.get_logger(__name__)

EVENTS: dict[str, str] = {
    Kind.SCAN_CREATED: "A scan was uploaded",
    Kind.ANALYSIS_SUCCEEDED: "An analysis succeeded",
    Kind.ANALYSIS_FAILED: "An analysis failed",
    Kind.ANALYSIS_CANCELLED: "An analysis was canceled",
    Kind.REVIEW_CREATED: "A scan was reviewed",
    Kind.DIAGNOSIS_RECORDED: "A diagnosis was recorded",
    Kind.REPORT_SIGNED: "A report was signed",
    Kind.MODEL_CHANGED: "A model has a new version",
}
"""The kinds of events that a webhook can be told about, each with its words for people."""

PING = "ping"
"""The event of a test message."""

_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
URL_PATTERN = f'://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:{_PORT})?(/[!-"$-~]*)?'
"""A URL after its scheme: a host, a port, and a path with its query; no user name, password, or fragment."""

MAX_WEBHOOKS = 20
# Separates this use of SECRET_KEY from every other.
PURPOSE = b"brainscan/webhook-secret/1/"


def create_webhook(owner: User, *, url: str, events: Iterable[str]) -> Webhook:
    """Create a webhook.

    Args:
        owner: the account whose view of the scans it has.
        url: an `https` URL; `http` is accepted for a host of the setting `WEBHOOK_INTERNAL_HOSTS`.
        events: kinds of `EVENTS`; at least one.

    Raises:
        Invalid: if the URL or a kind is not accepted.
        Conflict: if the account has too many webhooks, or one with this URL.
    """
    url = checked_url(url)
    wanted = set(events)
    if not wanted:
        raise Invalid("Choose at least one event.", code="no_event")
    if unknown := wanted - set(EVENTS):
        raise Invalid(f"There is no event “{min(unknown)[:40]}”.", code="unknown_event")
    with transaction.atomic():
        # Locked, so that a form sent twice creates one webhook.
        User.objects.select_for_update().get(pk=owner.pk)
        own = Webhook.objects.filter(owner=owner)
        if own.filter(url=url).exists():
            raise Conflict("You already have a webhook with this URL.")
        if own.count() >= MAX_WEBHOOKS:
            raise Conflict(f"You have {MAX_WEBHOOKS} webhooks. Delete one that is no longer used.")
        webhook = Webhook.objects.create(owner=owner, url=url, events=[kind for kind in EVENTS if kind in wanted])
    logger.info("webhook_created", webhook=str(webhook.pk), owner=owner.pk, host=urlsplit(url).hostname)
    return webhook


def checked_url(url: str) -> str:
    """Return the URL. Raise `Invalid` if nothing can be sent to it."""
    if len(url) > MAX_URL or not re.fullmatch(f"https?{URL_PATTERN}", url):
        raise Invalid(f"Enter a URL like https://example.org/hook, with at most {MAX_URL} characters.", code="url")
    if url.startswith("http:") and not is_internal(urlsplit(url)):
        raise Invalid("Use https. Only hosts that the operator lists as internal can be reached by http.", code="url")
    return url


def is_internal(parts: SplitResult) -> bool:
    """Return whether the operator allows private addresses and `http` for the host."""
    return (parts.hostname or "") in settings.WEBHOOK_INTERNAL_HOSTS


def secret_of(webhook: Webhook) -> str:
    """Return the secret that signs the messages, in the form of the Standard Webhooks specification.

    It is derived from `SECRET_KEY` and stored nowhere.
    """
    return "whsec_" + base64.b64encode(derived_key(PURPOSE + webhook.pk.bytes)).decode()


def switch_webhook(webhook: Webhook, *, on: bool) -> None:
    """Switch a webhook on or off. Messages that wait are sent when it is on again."""
    webhook.is_active = on
    if on:
        webhook.failing_since = None
    webhook.save(update_fields=["is_active", "failing_since"])
    logger.info("webhook_switched", webhook=str(webhook.pk), on=on)


def delete_webhook(webhook: Webhook) -> None:
    """Delete a webhook with its messages."""
    logger.info("webhook_deleted", webhook=str(webhook.pk))
    webhook.delete()


def send_ping(webhook: Webhook) -> WebhookDelivery:
    """Queue a test message.

    Raises:
        Conflict: if the webhook is off, or a test message waits already.
    """
    if not webhook.is_active:
        raise Conflict("This webhook is off. Switch it on first.", code="webhook_off")
    with transaction.atomic():
        Webhook.objects.select_for_update().get(pk=webhook.pk)
        if webhook.deliveries.filter(event=PING, due_at__isnull=False).exists():
            raise Conflict("A test message is waiting to be sent.", code="ping_waiting")
        now = timezone.now()
        return WebhookDelivery.objects.create(
            webhook=webhook,
            message_id=f"ping_{uuid4().hex}",
            event=PING,
            body={"type": PING, "timestamp": now.isoformat(), "data": {}},
            due_at=now,
        )


def retry_deliveries(webhook: Webhook) -> int:
    """Send the messages that were given up again, from the first attempt on. Return how many."""
    failed = webhook.deliveries.filter(given_up_at__isnull=False)
    return failed.update(due_at=timezone.now(), attempts=0, given_up_at=None)
