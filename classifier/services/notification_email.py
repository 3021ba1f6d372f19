"""Send notifications by e-mail to people who want them. The rows are the queue: nothing is lost with a mail server."""

import smtplib
import time
from datetime import timedelta

import structlog
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from classifier.models import Notification, User
from classifier.notification_text import subject, text
from classifier.services.errors import NotAllowed

logger = structlog.get_logger(__name__)

MOST_AT_ONCE = 50
RUN_SECONDS = 20.0
"""A run sends no further e-mail after this time, so that a slow mail server does not hold up a worker's thread."""
# A worker that dies while it sends leaves the row to others after this time.
LEASE = timedelta(minutes=5)
PAUSES = (1, 5, 15, 60, 240, 720, 1440)
"""Minutes until the next attempt. After the last one the e-mail is given up, and administrators can retry it."""


def send_due_emails(*, site: str) -> int:
    """Send the e-mails that are due. Return how many were sent.

    Args:
        site: URL of the installation, without a slash at the end; "" if it is not known.
    """
    deadline, sent = time.monotonic() + RUN_SECONDS, 0
    due = Notification.objects.filter(email_due_at__lte=timezone.now())
    # People who have left are no longer told what happens to the scans.
    due.filter(recipient__is_active=False).update(email_due_at=None)
    for row in due.select_related("recipient").order_by("email_due_at")[:MOST_AT_ONCE]:
        if time.monotonic() > deadline:
            break
        claim = Notification.objects.filter(pk=row.pk, email_due_at=row.email_due_at)
        if not claim.update(email_due_at=timezone.now() + LEASE, email_attempts=F("email_attempts") + 1):
            continue  # Another worker has claimed it.
        try:
            _send(row, site=site)
        except (smtplib.SMTPException, OSError) as error:
            pause = PAUSES[row.email_attempts] if row.email_attempts < len(PAUSES) else None
            again = None if pause is None else timezone.now() + timedelta(minutes=pause)
            given_up = timezone.now() if again is None else None
            Notification.objects.filter(pk=row.pk).update(email_due_at=again, email_given_up_at=given_up)
            logger.warning(
                "notification_email_failed", notification=row.pk, error=mail_failure(error), given_up=again is None
            )
            if again is not None and not isinstance(error, smtplib.SMTPRecipientsRefused):
                break  # The mail server is probably away; the others would fail alike.
        else:
            Notification.objects.filter(pk=row.pk).update(email_due_at=None)
            sent += 1
    return sent


def mail_failure(error: smtplib.SMTPException | OSError) -> str:
    """Return why an e-mail was not sent, for the log: without its address, which the answer of a server repeats."""
    name = type(error).__name__
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return " ".join([name, *(str(code) for code, _ in error.recipients.values())])
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{name} {error.smtp_code}"
    return repr(error)


def retry_emails(*, by: User) -> int:
    """Send the e-mails that were given up again, from the first attempt on. Return how many. Staff only.

    Raises:
        NotAllowed: If `by` is not a member of staff.
    """
    return _given_up(by).update(email_due_at=timezone.now(), email_attempts=0, email_given_up_at=None)


def dismiss_emails(*, by: User) -> int:
    """Leave the e-mails that were given up unsent. Return how many. Staff only; raises like `retry_emails`."""
    return _given_up(by).update(email_given_up_at=None)


def _given_up(by: User) -> QuerySet[Notification]:
    if not by.is_staff:
        raise NotAllowed("Only administrators can retry or dismiss e-mails.")
    return Notification.objects.filter(email_given_up_at__isnull=False)


def _send(row: Notification, *, site: str) -> None:
    where = f"{site}{reverse('web:notifications')}" if site else "Sign in to BrainScan to see your notifications."
    body = f"{text(row)}\n\n{where}\n\nThis message contains no patient data. You can turn it off on your profile.\n"
    EmailMessage(subject(row), body, to=[row.recipient.email]).send()
