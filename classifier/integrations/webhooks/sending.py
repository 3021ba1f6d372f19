"""Send the messages to webhooks that are due."""

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import structlog
from django.db.models import F, Q
from django.utils import timezone

from classifier.integrations.webhooks.signature import signed_headers
from classifier.models import Webhook, WebhookDelivery
from classifier.models.webhook import MAX_ERROR
from classifier.services.webhook import is_internal, secret_of

logger = structlog.get_logger(__name__)

MOST_AT_ONCE = 100
RUN_SECONDS = 30.0
"""A run starts no further message after this time, so that slow receivers do not hold up a worker's thread."""
TIMEOUT = httpx2.Timeout(10.0, connect=5.0)
ANSWER_SECONDS = 15.0
"""A connection is closed after this time: `TIMEOUT` starts again with each byte that a receiver sends."""
# A worker that dies while it sends leaves the row to others after this time.
LEASE = timedelta(minutes=2)
PAUSES = (1, 5, 15, 60, 240, 720, 1440)
"""Minutes until the next attempt. After the last one the message is given up, and its webhook is switched off if no
other message has reached the receiver meanwhile."""


class Refused(Exception):
    """The message cannot be sent, or the receiver did not accept it. The text says why."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


def send_due_messages() -> int:
    """Send the messages that are due. Return how many were accepted.

    A receiver that fails is left alone for the rest of the run.
    """
    deadline, failing, sent = time.monotonic() + RUN_SECONDS, set[UUID](), 0
    due = WebhookDelivery.objects.filter(due_at__lte=timezone.now(), webhook__is_active=True)
    due = due.filter(webhook__owner__is_active=True).select_related("webhook")
    for row in due.order_by("due_at", "pk")[:MOST_AT_ONCE]:
        if time.monotonic() > deadline:
            break
        if row.webhook_id in failing:
            continue
        claim = WebhookDelivery.objects.filter(pk=row.pk, due_at=row.due_at)
        if not claim.update(due_at=timezone.now() + LEASE, attempts=F("attempts") + 1):
            continue  # Another worker has claimed it.
        try:
            status = send(row)
        except Refused as error:
            failing.add(row.webhook_id)
            _failed(row, error)
        else:
            _succeeded(row, status)
            sent += 1
    return sent


def send(row: WebhookDelivery) -> int:
    """Send a message and return the HTTP status of the answer.

    Raises:
        Refused: if the host has no address that may be reached, does not answer, or answers with another status than
            200 to 299. Redirects are not followed.
    """
    parts = urlsplit(row.webhook.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, internal=is_internal(parts))
    body = json.dumps(row.body, separators=(",", ":"), sort_keys=True).encode()
    signed = signed_headers(secret_of(row.webhook), message_id=row.message_id, timestamp=int(time.time()), body=body)
    headers = {"Content-Type": "application/json", "User-Agent": "BrainScan-Webhooks/1", "Host": parts.netloc} | signed
    # Connect to the address that was checked: another look-up could give another one.
    url = httpx2.URL(row.webhook.url).copy_with(host=address)
    try:
        # Without the environment's proxy, which could reach what was not checked.
        with (
            _time_limit() as trace,
            httpx2.Client(timeout=TIMEOUT, trust_env=False) as client,
            client.stream(
                "POST", url, content=body, headers=headers, extensions={"sni_hostname": host, "trace": trace}
            ) as response,
        ):
            status = response.status_code
    except httpx2.TimeoutException:
        raise Refused("The receiver did not answer in time.") from None
    except httpx2.HTTPError as error:
        raise Refused(f"The connection failed: {error}") from None
    if not 200 <= status < 300:
        raise Refused(f"The receiver answered with status {status}.", status=status)
    return status


@contextmanager
def _time_limit() -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Close the connection of a request after `ANSWER_SECONDS`. Yield the function that the request reports to.

    Raises:
        Refused: if the time was over.
    """
    opened: list[socket.socket] = []
    is_over = threading.Event()

    def trace(event: str, info: dict[str, Any]) -> None:
        # TLS takes the place of the socket that was connected.
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            opened.append(info["return_value"].get_extra_info("socket"))

    def end() -> None:
        is_over.set()
        for connection in opened:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(ANSWER_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    except httpx2.HTTPError:
        if is_over.is_set():
            raise Refused("The receiver did not answer in time.") from None
        raise
    finally:
        timer.cancel()


def _address(host: str, port: int, *, internal: bool) -> str:
    """Return an address of a host. Private ones are for the hosts that the operator lists as internal."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("The host name has no address.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not internal and not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in addresses):
        raise Refused("The host is in a private network. The operator can list it in WEBHOOK_INTERNAL_HOSTS.")
    return addresses[0]


def _succeeded(row: WebhookDelivery, status: int) -> None:
    now = timezone.now()
    WebhookDelivery.objects.filter(pk=row.pk).update(due_at=None, delivered_at=now, status=status, error="")
    Webhook.objects.filter(pk=row.webhook_id).update(last_succeeded_at=now, failing_since=None)


def _failed(row: WebhookDelivery, error: Refused) -> None:
    now = timezone.now()
    pause = PAUSES[row.attempts] if row.attempts < len(PAUSES) else None
    WebhookDelivery.objects.filter(pk=row.pk).update(
        due_at=None if pause is None else now + timedelta(minutes=pause),
        given_up_at=now if pause is None else None,
        status=error.status,
        error=str(error)[:MAX_ERROR],
    )
    webhook = Webhook.objects.filter(pk=row.webhook_id)
    webhook.filter(failing_since=None).update(failing_since=now)
    if pause is None:
        silent = Q(last_succeeded_at=None) | Q(last_succeeded_at__lt=row.created_at)
        webhook.filter(silent).update(is_active=False)
    logger.warning(
        "webhook_failed", webhook=str(row.webhook_id), attempt=row.attempts + 1, error=str(error)[:MAX_ERROR]
    )
