"""Notifications of a person."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.urls import reverse

from classifier.models import Notification, User
from classifier.selectors.batch import visible_batches
from classifier.selectors.report_archive import report_archives
from classifier.selectors.scan import visible_scans

MOST_EMAILS = 20


def notifications_of(user: User) -> QuerySet[Notification]:
    """Return the published notifications of a person that they want on the page: unread ones first, then the newest."""
    rows = Notification.objects.filter(recipient=user, published_at__isnull=False, on_page=True)
    unread_first = Case(When(read_at=None, then=Value(0)), default=Value(1), output_field=IntegerField())
    return rows.select_related("actor").order_by(unread_first, "-published_at", "-pk")


def unread_notifications(user: User) -> int:
    """Return the number of unread notifications."""
    return Notification.objects.filter(recipient=user, published_at__isnull=False, read_at=None, on_page=True).count()


@dataclass(frozen=True, slots=True)
class FailedEmails:
    """E-mails that were given up, for administrators.

    Attributes:
        total: Their number.
        newest: The newest, at most `MOST_EMAILS`, with their recipients.
    """

    total: int
    newest: list[Notification]


def failed_emails() -> FailedEmails:
    """Return the e-mails that were given up after the last attempt. They name no patient."""
    rows = Notification.objects.filter(email_given_up_at__isnull=False)
    newest = rows.select_related("recipient").order_by("-email_given_up_at")[:MOST_EMAILS]
    return FailedEmails(total=rows.count(), newest=list(newest))


def links_of(user: User, rows: Sequence[Notification]) -> dict[int, str]:
    """Return the URL of what each notification is about, by its identifier.

    "" if it was deleted, or the person can no longer see it. A change of a model leads to the page of the models.
    """
    scans = {scan.pk for scan in visible_scans(user).filter(pk__in=[row.scan_id for row in rows if row.scan_id])}
    batches = {
        batch.pk for batch in visible_batches(user).filter(pk__in=[row.batch_id for row in rows if row.batch_id])
    }
    wanted = [row.archive_id for row in rows if row.archive_id]
    archives = {archive.pk for archive in report_archives(user).filter(pk__in=wanted)}
    links = {}
    for row in rows:
        if row.scan_id in scans:
            links[row.pk] = reverse("web:scan", args=[row.scan_id])
        elif row.batch_id in batches:
            links[row.pk] = reverse("web:batch", args=[row.batch_id])
        elif row.archive_id in archives:
            links[row.pk] = reverse("web:report_archive", args=[row.archive_id])
        else:
            links[row.pk] = reverse("web:models") if row.kind == Notification.Kind.MODEL_CHANGED else ""
    return links
