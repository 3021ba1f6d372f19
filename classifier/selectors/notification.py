"""Notifications of a person."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.urls import reverse

from classifier.models import Notification, User
from classifier.selectors.batch import visible_batches
from classifier.selectors.report import report_archives
from classifier.selectors.scan import visible_scans


def notifications_of(user: User) -> QuerySet[Notification]:
    """Return the published notifications of a person, newest first."""
    return Notification.objects.filter(recipient=user, published_at__isnull=False).select_related("actor")


def unread_notifications(user: User) -> int:
    """Return the number of unread notifications."""
    return Notification.objects.filter(recipient=user, published_at__isnull=False, read_at=None).count()


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
