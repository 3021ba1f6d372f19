"""Webhooks: recipients of messages, signatures, retries, and hosts that must not be reached."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import transaction
from django.utils import timezone

from classifier import tasks
from classifier.events import Kind, record_events
from classifier.integrations.webhooks import messages, sending
from classifier.integrations.webhooks.signature import signed_headers
from classifier.models import Event, EventCursor, WebhookDelivery
from classifier.services.review import submit_review
from classifier.services.webhook import (
    EVENTS,
    create_webhook,
    retry_deliveries,
    secret_of,
    send_ping,
    switch_webhook,
)

pytestmark = pytest.mark.django_db


@dataclass
class Receiver:
    """A program that gets messages, and answers with `status`; or never completely, if it `drips`."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    drips: bool = False


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            while made.drips:
                try:
                    self.wfile.write(b"X")
                except OSError:
                    return
                time.sleep(0.05)
            self.send_response(made.status)
            for key, value in made.headers.items():
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://localhost:{server.server_port}/hook?from=brainscan"
    settings.WEBHOOK_INTERNAL_HOSTS = frozenset({"localhost"})
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def start(db) -> None:
    """Let the cursor stand at the newest event. PostgreSQL continues identifiers from test to test."""
    record(Kind.SCAN_CREATED)
    EventCursor.objects.update_or_create(name=messages.CURSOR, defaults={"event_id": Event.objects.latest("pk").pk})


def record(kind: Kind, scan=None, **fields) -> None:
    with transaction.atomic():
        record_events([Event(kind=kind, scan_id=scan.pk if scan else None, **fields)])


def told() -> list[tuple[str, str]]:
    """Return the owner and the event of every message, in their order."""
    rows = WebhookDelivery.objects.order_by("pk").values_list("webhook__owner__username", "event")
    return [(str(name), str(event)) for name, event in rows]


def later(minutes: float) -> None:
    """Let every message that waits be due, as if time had passed."""
    WebhookDelivery.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(minutes=minutes))


def test_a_review_reaches_the_receiver_signed_and_without_patient_data(receiver, settings, team_scan, owner, teammate):
    settings.SITE_URL = "https://scans.example.org"
    webhook = create_webhook(owner, url=receiver.url, events=[Kind.REVIEW_CREATED])
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high", comment="P-2 Ada")
    tasks.deliver_webhooks()
    [(headers, body)] = receiver.got
    message = json.loads(body)
    assert (message["type"], message["data"]["scan"]) == ("review.created", str(team_scan.pk))
    assert message["data"]["scan_url"] == f"https://scans.example.org/api/v1/scans/{team_scan.pk}/"
    assert not any(word in body.decode() for word in ("P-2", "Ada", "agree", team_scan.current_analysis.finding))
    # As a receiver verifies it.
    key = base64.b64decode(secret_of(webhook).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    row = WebhookDelivery.objects.get()
    assert (row.state, row.status, row.attempts, row.due_at) == ("delivered", 204, 1, None)
    tasks.deliver_webhooks()
    assert len(receiver.got) == 1


def test_the_signature_is_that_of_the_specifications_example():
    headers = signed_headers(
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        message_id="msg_loFOjxBNrRLzqYUf",
        timestamp=1731705121,
        body=b'{"event_type":"ping","data":{"success":true}}',
    )
    assert headers["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_only_webhooks_of_people_who_may_see_a_scan_get_messages(team_scan, owner, teammate, outsider):
    for user in (owner, teammate, outsider):
        create_webhook(user, url="https://ris.example.org/", events=[Kind.SCAN_CREATED, Kind.MODEL_CHANGED])
    record(Kind.SCAN_CREATED, team_scan)
    record(Kind.DIAGNOSIS_RECORDED, team_scan)
    record(Kind.MODEL_CHANGED, payload={"model": "xception", "before": "1", "version": "2"})
    messages.make_messages(site="")
    messages.make_messages(site="")
    assert sorted(told()) == [
        ("outsider", "model.changed"),
        ("owner", "model.changed"),
        ("owner", "scan.created"),
        ("teammate", "model.changed"),
        ("teammate", "scan.created"),
    ]
    bodies = WebhookDelivery.objects.filter(event="model.changed").values_list("body__data", flat=True)
    assert all(data == {"model": "xception", "before": "1", "version": "2"} for data in bodies)


def test_events_before_the_webhook_are_not_sent(team_scan, owner):
    record(Kind.SCAN_CREATED, team_scan)
    create_webhook(owner, url="https://ris.example.org/", events=[Kind.SCAN_CREATED])
    messages.make_messages(site="")
    assert told() == []


def test_a_first_reader_of_the_events_begins_with_the_newest(owner, scan):
    EventCursor.objects.filter(name=messages.CURSOR).delete()
    assert messages.make_messages(site="") == 0
    create_webhook(owner, url="https://ris.example.org/", events=[Kind.SCAN_CREATED])
    record(Kind.SCAN_CREATED, scan)
    assert messages.make_messages(site="") == 1
    assert told() == [("owner", "scan.created")]


def test_a_failing_receiver_gets_the_same_message_again_until_the_message_is_given_up(receiver, owner):
    receiver.status = 500
    webhook = create_webhook(owner, url=receiver.url, events=list(EVENTS))
    send_ping(webhook)
    for attempt in range(1, len(sending.PAUSES) + 2):
        row = WebhookDelivery.objects.get()
        assert (row.attempts, row.state) == (attempt - 1, "waiting")
        later(minutes=1)
        assert sending.send_due_messages() == 0
        assert len(receiver.got) == attempt
    row = WebhookDelivery.objects.get()
    assert (row.state, row.status, row.error) == ("failed", 500, "The receiver answered with status 500.")
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert webhook.failing_since is not None

    receiver.status = 200
    assert retry_deliveries(webhook) == 1
    assert sending.send_due_messages() == 0  # It is off.
    switch_webhook(webhook, on=True)
    assert sending.send_due_messages() == 1
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.failing_since) == (True, None)


def test_a_pause_follows_each_failure(receiver, owner):
    receiver.status = 503
    send_ping(create_webhook(owner, url=receiver.url, events=list(EVENTS)))
    for minutes in sending.PAUSES:
        later(minutes=0)
        before = timezone.now()
        sending.send_due_messages()
        due = WebhookDelivery.objects.get().due_at
        assert due is not None
        assert timedelta(0) <= due - before - timedelta(minutes=minutes) < timedelta(minutes=1)


def test_an_unavailable_receiver_does_not_delay_the_others(receiver, owner, scan):
    away = create_webhook(owner, url="http://localhost:1/", events=[Kind.SCAN_CREATED])
    create_webhook(owner, url=receiver.url, events=[Kind.SCAN_CREATED])
    for _ in range(3):
        record(Kind.SCAN_CREATED, scan)
    messages.make_messages(site="")
    assert sending.send_due_messages() == 3
    assert len(receiver.got) == 3
    tried = away.deliveries.filter(attempts=1)
    assert tried.count() == 1  # The others wait for the next run.
    assert tried.get().error.startswith("The connection failed")


def test_redirects_are_not_followed(receiver, owner):
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    send_ping(create_webhook(owner, url=receiver.url, events=list(EVENTS)))
    assert sending.send_due_messages() == 0
    assert len(receiver.got) == 1


def test_a_claimed_message_is_not_sent_by_another_worker(receiver, owner, monkeypatch):
    send_ping(create_webhook(owner, url=receiver.url, events=list(EVENTS)))
    real = sending.send

    def send_while_another_worker_looks(row: WebhookDelivery) -> int:
        monkeypatch.setattr(sending, "send", real)
        assert sending.send_due_messages() == 0
        return real(row)

    monkeypatch.setattr(sending, "send", send_while_another_worker_looks)
    assert sending.send_due_messages() == 1
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url", ["https://localhost/", "https://127.0.0.1/", "https://10.0.0.5/", "https://169.254.169.254/latest/meta-data"]
)
def test_private_addresses_are_not_reached(url, owner):
    webhook = create_webhook(owner, url=url, events=list(EVENTS))
    row = send_ping(webhook)
    with pytest.raises(sending.Refused, match="private network"):
        sending.send(row)


def test_a_deactivated_account_gets_no_messages(receiver, owner, scan):
    create_webhook(owner, url=receiver.url, events=[Kind.SCAN_CREATED])
    record(Kind.SCAN_CREATED, scan)
    messages.make_messages(site="")
    owner.is_active = False
    owner.save()
    record(Kind.SCAN_CREATED, scan)
    messages.make_messages(site="")
    assert sending.send_due_messages() == 0
    assert (len(told()), receiver.got) == (1, [])


def test_old_messages_are_deleted(owner):
    webhook = create_webhook(owner, url="https://ris.example.org/", events=list(EVENTS))
    old = send_ping(webhook)
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=timezone.now() - messages.KEPT, due_at=None)
    new = send_ping(webhook)
    assert messages.remove_old_messages() == 1
    assert list(WebhookDelivery.objects.all()) == [new]


def test_failing_webhooks_need_attention(receiver, browse, owner):
    receiver.status = 500
    webhook = create_webhook(owner, url=receiver.url, events=list(EVENTS))
    row = send_ping(webhook)
    WebhookDelivery.objects.filter(pk=row.pk).update(attempts=len(sending.PAUSES))
    sending.send_due_messages()
    page = browse(owner).get("/attention/").content.decode()
    assert "Nothing needs attention" not in page
    assert "Needs attention (1)" in browse(owner).get("/scans/").content.decode()
    assert "Failing webhooks (1)" in page
    assert "Off after failures" in page
    client = browse(owner)
    client.post(f"/profile/webhooks/{webhook.pk}/", {"action": "retry"})
    client.post(f"/profile/webhooks/{webhook.pk}/", {"action": "on"})
    assert "Failing webhooks" not in client.get("/attention/").content.decode()


def test_a_receiver_that_answers_byte_by_byte_holds_up_no_thread(receiver, owner, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)
    receiver.drips = True
    webhook = create_webhook(owner, url=receiver.url, events=[Kind.MODEL_CHANGED])
    send_ping(webhook)
    started = time.monotonic()
    try:
        assert sending.send_due_messages() == 0
    finally:
        receiver.drips = False
    assert time.monotonic() - started < 5
    assert webhook.deliveries.get().error == "The receiver did not answer in time."
