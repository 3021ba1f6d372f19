"""E-mails about notifications: to those who want them, once, whatever the mail server does."""

import smtplib
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from classifier import tasks
from classifier.models import Notification, ReportArchive
from classifier.services import notification as service
from classifier.services import notification_email
from classifier.services.account import set_notification_choices
from classifier.services.review import submit_review

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("start")]


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


def test_without_a_mail_server_what_is_wanted_by_email_only_is_shown_on_the_page(scan, owner, teammate, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    set_notification_choices(owner, page=[], email=["archive_done"])
    archive = ReportArchive.objects.create(owner=owner, title="a", scan_ids=[], time_zone="UTC", total=0)
    service.notify_of_archive(archive, failed=False)
    row = Notification.objects.get()
    assert row.on_page
    assert row.email_due_at is None
