"""Notifications: made from events, once, for those whom they concern; published when a batch has finished."""

import smtplib
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from classifier import tasks
from classifier.events import Kind, record_events
from classifier.models import Batch, BatchFile, Event, EventCursor, Notification, ReportArchive, User
from classifier.notification_text import text
from classifier.services import notification as service
from classifier.services import notification_email
from classifier.services.account import set_notification_choices
from classifier.services.event_reader import GAP_SECONDS
from classifier.services.model import record_model_version
from classifier.services.review import submit_review
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db


def record(kind: Kind, scan=None, actor=None, **fields) -> Event:
    from django.db import transaction

    with transaction.atomic():
        record_events([Event(kind=kind, scan_id=scan.pk if scan else None, actor=actor, **fields)])
    return Event.objects.latest("pk")


@pytest.fixture(autouse=True)
def start(db) -> int:
    """Let the cursor stand before the next event. PostgreSQL continues identifiers from test to test."""
    newest = record(Kind.SCAN_CREATED).pk
    EventCursor.objects.update_or_create(name=service.CURSOR, defaults={"event_id": newest})
    return newest


def texts(user: User) -> list[str]:
    rows = Notification.objects.filter(recipient=user, published_at__isnull=False).order_by("pk")
    return [text(row) for row in rows]


def test_a_review_by_somebody_else_is_told_to_the_owner_once(start, team_scan, owner, teammate):
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
    assert service.make_notifications() >= 1
    service.make_notifications()
    EventCursor.objects.filter(name=service.CURSOR).update(event_id=start)
    service.make_notifications()
    assert texts(owner) == ["teammate reviewed one of your scans."]
    assert texts(teammate) == []


def test_a_review_of_ones_own_scan_makes_no_notification(scan, owner):
    submit_review(scan.current_analysis, by=owner, verdict="agree", certainty="high")
    service.make_notifications()
    assert texts(owner) == []


def test_a_failed_analysis_is_told_to_the_owner_of_the_scan(owner, outsider):
    scan = make_scan(owner)
    make_analysis(scan, state="failed")
    record(Kind.ANALYSIS_FAILED, scan)
    service.make_notifications()
    assert texts(owner) == ["The analysis of a scan failed."]
    assert texts(outsider) == []


def batch_of(owner, *states: str, refused: int = 0) -> Batch:
    batch = Batch.objects.create(owner=owner)
    for number, state in enumerate(states, start=1):
        scan = make_scan(owner)
        make_analysis(scan, state=state)
        BatchFile.objects.create(batch=batch, number=number, scan=scan)
        if state != "queued":
            record(Kind.ANALYSIS_FAILED if state == "failed" else Kind.ANALYSIS_SUCCEEDED, scan)
    for number in range(refused):
        BatchFile.objects.create(batch=batch, number=100 + number, refusal="Not an image.")
    return batch


def quiet(batch: Batch) -> None:
    batch.files.update(created_at=timezone.now() - timedelta(seconds=service.QUIET_SECONDS + 1))


def test_a_batch_is_told_once_when_all_of_it_has_ended(owner):
    batch = batch_of(owner, "succeeded", "failed", "queued", refused=1)
    quiet(batch)
    service.make_notifications()
    assert texts(owner) == []
    waiting = batch.files.get(number=3).scan
    make_analysis(waiting, state="succeeded")
    record(Kind.ANALYSIS_SUCCEEDED, waiting)
    service.make_notifications()
    service.make_notifications()
    assert texts(owner) == ["Your upload of 4 files is analyzed: 1 failed, 1 refused."]


def test_one_file_is_not_several(owner):
    row = Notification(recipient=owner, kind=Notification.Kind.BATCH_DONE, details={"files": 1})
    assert text(row) == "Your upload of 1 file is analyzed."


def test_a_batch_whose_files_still_arrive_is_not_finished(owner):
    batch_of(owner, "succeeded")
    service.make_notifications()
    assert texts(owner) == []


def test_an_event_that_commits_late_is_not_skipped(scan, owner, teammate):
    """On PostgreSQL a transaction may commit after one that took a later identifier."""
    first = record(Kind.SCAN_CREATED, scan, owner)
    EventCursor.objects.update_or_create(name=service.CURSOR, defaults={"event_id": first.pk})
    late = Event(pk=first.pk + 2, kind=Kind.REVIEW_CREATED, scan_id=scan.pk, actor=teammate)
    late.save(force_insert=True)
    service.make_notifications()
    assert EventCursor.objects.get(name=service.CURSOR).event_id == first.pk
    Event(pk=first.pk + 1, kind=Kind.REVIEW_CREATED, scan_id=scan.pk, actor=teammate).save(force_insert=True)
    service.make_notifications()
    assert len(texts(owner)) == 2


def test_a_gap_that_stays_is_passed_after_a_while(scan, owner, teammate):
    first = record(Kind.SCAN_CREATED, scan, owner)
    EventCursor.objects.update_or_create(name=service.CURSOR, defaults={"event_id": first.pk})
    old = timezone.now() - timedelta(seconds=GAP_SECONDS + 1)
    Event(pk=first.pk + 2, kind=Kind.REVIEW_CREATED, scan_id=scan.pk, actor=teammate, at=old).save(force_insert=True)
    service.make_notifications()
    assert len(texts(owner)) == 1


def test_people_with_uploads_are_notified_of_a_new_version_of_the_model(scan, owner, outsider):
    record_model_version("xception", "1.0.0")
    record_model_version("xception", "1.0.0")
    service.make_notifications()
    assert texts(owner) == []
    record_model_version("xception", "2.0.0")
    service.make_notifications()
    assert texts(owner) == ["The model xception changed from version 1.0.0 to 2.0.0."]
    assert texts(outsider) == []


@pytest.fixture
def due(team_scan, owner, teammate):
    owner.notification_choices = {kind: ["page", "email"] for kind in Notification.Kind.values}
    owner.save()
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
    service.make_notifications()
    return Notification.objects.get()


def test_an_email_is_sent_once_without_patient_data(due, team_scan, settings):
    settings.SITE_URL = "https://scans.example.org"
    tasks.notify_people()
    tasks.notify_people()
    [message] = mail.outbox
    assert message.to == [due.recipient.email]
    assert message.subject == "BrainScan: scan reviewed"
    assert "https://scans.example.org/notifications/" in message.body
    assert team_scan.patient_reference not in message.body
    assert "lioma" not in message.body


def test_a_mail_server_that_is_away_delays_mails_and_loses_none(due, monkeypatch):
    def away(self, **_):
        raise smtplib.SMTPServerDisconnected("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", away)
        assert notification_email.send_due_emails(site="") == 0
    due.refresh_from_db()
    assert due.email_due_at > timezone.now()
    Notification.objects.update(email_due_at=timezone.now() - timedelta(seconds=1))
    assert notification_email.send_due_emails(site="") == 1
    assert len(mail.outbox) == 1


def test_an_email_of_an_installation_without_an_address_has_no_link(due, settings):
    settings.SITE_URL = ""
    tasks.notify_people()
    assert "Sign in to BrainScan to see your notifications." in mail.outbox[0].body
    assert "/notifications/" not in mail.outbox[0].body


def test_a_deactivated_account_gets_no_emails(due, owner, team_scan, teammate):
    owner.is_active = False
    owner.save()
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="low")
    tasks.notify_people()
    owner.is_active = True
    owner.save()
    tasks.notify_people()
    assert mail.outbox == []


def test_an_address_that_is_refused_does_not_delay_the_other_emails(due, teammate, monkeypatch):
    send = mail.EmailMessage.send

    def refuse(self, **_):
        if self.to == [due.recipient.email]:
            raise smtplib.SMTPRecipientsRefused({self.to[0]: (550, b"no such user")})
        return send(self)

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    now = timezone.now()
    Notification.objects.create(recipient=teammate, kind=due.kind, key="other", published_at=now, email_due_at=now)
    assert notification_email.send_due_emails(site="") == 1
    assert [message.to for message in mail.outbox] == [[teammate.email]]


def test_a_slow_mail_server_does_not_hold_up_a_run(due, owner, monkeypatch):
    monkeypatch.setattr(notification_email, "RUN_SECONDS", 0.2)
    monkeypatch.setattr("django.core.mail.EmailMessage.send", lambda self, **_: time.sleep(0.3))
    for number in range(2):
        Notification.objects.create(
            recipient=owner,
            kind=due.kind,
            key=f"slow:{number}",
            published_at=timezone.now(),
            email_due_at=timezone.now(),
        )
    assert [notification_email.send_due_emails(site="") for _ in range(4)] == [1, 1, 1, 0]


def test_nobody_gets_emails_unless_they_want_them(team_scan, owner, teammate):
    submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
    tasks.notify_people()
    assert mail.outbox == []


def test_the_page_lists_them_and_the_bell_counts_the_unread(due, owner, teammate, browse):
    client = browse(owner)
    assert client.get(reverse("web:notification_count")).json() == {"unread": 1}
    page = client.get("/notifications/").content.decode()
    assert "teammate reviewed one of your scans." in page
    answer = client.post(reverse("web:notification_open", args=[due.pk]))
    assert answer.url == reverse("web:scan", args=[due.scan_id])
    assert client.get(reverse("web:notification_count")).json() == {"unread": 0}
    assert browse(teammate).post(reverse("web:notification_open", args=[due.pk])).status_code == 404


def test_a_deleted_scan_is_reported(due, owner, browse, team_scan):
    from classifier.services.scan import delete_scan

    delete_scan(team_scan, by=owner)
    assert "Deleted, or no longer visible to you." in browse(owner).get("/notifications/").content.decode()


def test_the_api_lists_and_marks(due, owner, outsider, api):
    client = api(owner)
    [row] = client.get("/api/v1/notifications/").json()["results"]
    assert (row["kind"], row["read"], row["scan"]) == ("reviewed", False, str(due.scan_id))
    assert api(outsider).post(f"/api/v1/notifications/{due.pk}/read/").status_code == 404
    assert client.post(f"/api/v1/notifications/{due.pk}/read/").status_code == 204
    assert client.get("/api/v1/notifications/").json()["results"][0]["read"] is True
    assert client.post("/api/v1/notifications/read/").status_code == 204


def test_old_notifications_that_were_read_are_removed(due, owner):
    service.mark_all_read(owner)
    Notification.objects.update(published_at=timezone.now() - timedelta(days=91))
    assert service.remove_old_notifications() == 1


def give_up(monkeypatch) -> None:
    """Let every attempt to send an e-mail fail."""

    def away(self, **_):
        raise smtplib.SMTPServerDisconnected("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", away)
        for _ in range(len(notification_email.PAUSES) + 1):
            Notification.objects.filter(email_due_at__isnull=False).update(email_due_at=timezone.now())
            notification_email.send_due_emails(site="")


@pytest.mark.django_db(transaction=True)
def test_administrators_see_emails_that_were_given_up_and_send_them_again(due, owner, staff, browse, monkeypatch):
    give_up(monkeypatch)
    due.refresh_from_db()
    assert (due.email_due_at, due.email_attempts) == (None, 8)
    page = browse(staff).get("/attention/").content.decode()
    assert "E-mails that could not be sent (1)" in page
    assert "did not answer, eight times" in page
    assert "Scan reviewed, to owner" in page
    assert "E-mails that could not be sent" not in browse(owner).get("/attention/").content.decode()
    assert browse(owner).post("/attention/", {"action": "retry_emails"}).status_code == 403
    page = browse(staff).post("/attention/", {"action": "retry_emails"}, follow=True).content.decode()
    assert "Will be sent again: 1 e-mail." in page
    assert notification_email.send_due_emails(site="") == 1
    assert "E-mails that could not be sent" not in browse(staff).get("/attention/").content.decode()


def test_administrators_dismiss_emails_that_were_given_up(due, staff, browse, monkeypatch):
    give_up(monkeypatch)
    browse(staff).post("/attention/", {"action": "dismiss_emails"})
    assert "E-mails that could not be sent" not in browse(staff).get("/attention/").content.decode()
    assert notification_email.send_due_emails(site="") == 0


def test_each_kind_has_its_own_switches(team_scan, owner, teammate, browse):
    client = browse(owner)
    kinds = set(Notification.Kind.values)
    cases = [([], ["reviewed"], 0, 1), (["reviewed"], [], 1, 0), (kinds - {"reviewed"}, [], 0, 0)]
    for page, email, listed, sent in cases:
        Notification.objects.all().delete()
        mail.outbox.clear()
        client.post("/profile/notifications/", {"page": list(page), "email": email})
        submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
        tasks.notify_people()
        assert client.get(reverse("web:notification_count")).json() == {"unread": listed}
        assert len(client.get("/notifications/").context["rows"]) == listed
        assert len(mail.outbox) == sent
    assert not Notification.objects.exists()
    shown = client.get("/profile/").context["choices"]
    assert {row["kind"] for row in shown if not row["page"]} == {"reviewed"}


def test_unread_ones_come_first(team_scan, owner, teammate, browse):
    for _ in range(2):
        submit_review(team_scan.current_analysis, by=teammate, verdict="agree", certainty="high")
    service.make_notifications()
    older, newer = Notification.objects.order_by("pk")
    service.mark_read(owner, newer.pk)
    rows = browse(owner).get("/notifications/").context["rows"]
    assert [entry["row"].pk for entry in rows] == [older.pk, newer.pk]


@pytest.mark.django_db(transaction=True)
def test_the_person_who_retries_is_notified_of_the_end(owner, browse):
    batch = batch_of(owner, "failed", "failed", "succeeded")
    quiet(batch)
    service.make_notifications()
    browse(owner).post(f"{batch.get_absolute_url()}retry/")
    service.make_notifications()
    assert texts(owner) == ["Your upload of 3 files is analyzed: 2 failed."]
    for file, state in zip(batch.files.filter(number__in=(1, 2)), ("succeeded", "failed"), strict=True):
        file.scan.analyses.filter(state="queued").delete()
        make_analysis(file.scan, state=state)
    service.make_notifications()
    service.make_notifications()
    assert texts(owner)[1:] == ["The retry of 2 files of an upload is finished: 1 failed."]


def test_without_a_mail_server_what_is_wanted_by_email_only_is_shown_on_the_page(scan, owner, teammate, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    set_notification_choices(owner, page=[], email=["archive_done"])
    archive = ReportArchive.objects.create(owner=owner, title="a", scan_ids=[], time_zone="UTC", total=0)
    service.notify_of_archive(archive, failed=False)
    row = Notification.objects.get()
    assert row.on_page
    assert row.email_due_at is None
