"""Make notifications from events, publish those of batches, and mark them as read."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from classifier.events import Kind
from classifier.models import Analysis, Batch, BatchFile, Event, Notification, ReportArchive, Scan, User
from classifier.notification_choices import EMAIL, PAGE, wants, wants_any
from classifier.selectors.installation import sends_email
from classifier.services.event_reader import read_events

logger = structlog.get_logger(__name__)

CURSOR = "notifications"
# Rows that are published in one step.
CHUNK = 200
# A script uploads the files of a batch one by one: the batch is finished if none has come for this long.
QUIET_SECONDS = 15
# Only people with uploads in this period are notified of a new version of a model.
ACTIVE = timedelta(days=90)
KEPT = timedelta(days=90)
MAX_DELETED = 1000
ENDED = (Kind.ANALYSIS_SUCCEEDED, Kind.ANALYSIS_FAILED, Kind.ANALYSIS_CANCELLED)


def make_notifications() -> int:
    """Read new events and make their notifications. Return the number of events read."""
    total = read_events(CURSOR, _handle)
    publish_batches()
    return total


def _handle(events: list[Event]) -> None:
    made = [row for row in _notifications(events) if wants_any(row.recipient, row.kind)]
    Notification.objects.bulk_create(made, ignore_conflicts=True)


def _notifications(events: list[Event]) -> list[Notification]:
    scans = Scan.objects.select_related("owner").in_bulk([event.scan_id for event in events if event.scan_id])
    ended = [event.scan_id for event in events if event.kind in ENDED]
    files = BatchFile.objects.filter(scan__in=ended).select_related("batch__owner")
    batches = {file.scan_id: file.batch for file in files}
    made: list[Notification] = []
    for event in events:
        if event.kind == Kind.MODEL_CHANGED:
            made += _of_model(event)
            continue
        scan = None if event.scan_id is None else scans.get(event.scan_id)
        if scan is None:
            continue
        batch = batches.get(scan.pk)
        if event.kind in ENDED and batch is not None:
            made.append(
                Notification(
                    recipient=batch.owner, kind=Notification.Kind.BATCH_DONE, key=f"batch:{batch.pk}", batch_id=batch.pk
                )
            )
        elif event.kind == Kind.ANALYSIS_FAILED:
            made.append(_new(scan.owner, Notification.Kind.FAILED, event, scan_id=scan.pk))
        elif event.kind == Kind.REVIEW_CREATED and event.actor_id != scan.owner_id:
            made.append(_new(scan.owner, Notification.Kind.REVIEWED, event, scan_id=scan.pk))
        elif event.kind == Kind.DIAGNOSIS_RECORDED and event.actor_id != scan.owner_id:
            made.append(_new(scan.owner, Notification.Kind.DIAGNOSIS, event, scan_id=scan.pk))
    return made


def _of_model(event: Event) -> list[Notification]:
    recent = Scan.objects.filter(owner=OuterRef("pk"), created_at__gte=timezone.now() - ACTIVE)
    people = User.objects.filter(Exists(recent), is_active=True)
    return [_new(user, Notification.Kind.MODEL_CHANGED, event, details=event.payload) for user in people]


def _new(recipient: User, kind: Notification.Kind, event: Event, **fields: Any) -> Notification:
    now = timezone.now()
    return Notification(
        recipient=recipient,
        kind=kind,
        key=f"event:{event.pk}",
        actor_id=event.actor_id,
        published_at=now,
        email_due_at=_email_due(recipient, kind, now),
        on_page=_on_page(recipient, kind),
        **fields,
    )


def _email_due(user: User, kind: str, now: datetime) -> datetime | None:
    return now if user.email and wants(user, kind, EMAIL) and sends_email() else None


def _on_page(user: User, kind: str) -> bool:
    """Return whether a notification is shown on the page; one wanted by e-mail only is, as long as none is sent."""
    return wants(user, kind, PAGE) or (wants(user, kind, EMAIL) and not sends_email())


def notify_of_archive(archive: ReportArchive, *, failed: bool) -> None:
    """Notify a person that their file of reports is ready, or could not be made."""
    now, owner = timezone.now(), archive.owner
    Notification.objects.get_or_create(
        recipient=owner,
        key=f"archive:{archive.pk}",
        defaults={
            "kind": Notification.Kind.ARCHIVE_DONE,
            "archive_id": archive.pk,
            "details": {"failed": failed, "kind": archive.kind},
            "published_at": now,
            "email_due_at": _email_due(owner, Notification.Kind.ARCHIVE_DONE, now),
            "on_page": _on_page(owner, Notification.Kind.ARCHIVE_DONE),
        },
    )


def publish_batches() -> None:
    """Publish the notifications of batches that have finished, each with its counts."""
    now = timezone.now()
    for row in Notification.objects.filter(published_at=None).select_related("recipient")[:CHUNK]:
        batch = None if row.batch_id is None else Batch.objects.filter(pk=row.batch_id).first()
        if batch is None:
            row.delete()
            continue
        newest = batch.files.order_by("-created_at").first()
        if newest is not None and newest.created_at > now - timedelta(seconds=QUIET_SECONDS):
            continue
        states = list(batch.files.values_list("scan__current_analysis__state", "refusal"))
        if any(state in Analysis.ACTIVE for state, _ in states):
            continue
        failed = sum(state == Analysis.State.FAILED for state, _ in states)
        refused = sum(bool(refusal) for _, refusal in states)
        Notification.objects.filter(pk=row.pk, published_at=None).update(
            details=row.details | {"files": len(states), "failed": failed, "refused": refused},
            published_at=now,
            email_due_at=_email_due(row.recipient, row.kind, now),
            on_page=_on_page(row.recipient, row.kind),
        )


def notify_of_retry(batch: Batch, *, by: User, retried: int) -> None:
    """Notify a person once the analyses of a batch that they retried have ended.

    Call it in the transaction that queues them. A retry while another one runs is reported together with it.
    """
    waiting = Notification.objects.select_for_update().filter(
        recipient=by, kind=Notification.Kind.RETRY_DONE, batch_id=batch.pk, published_at=None
    )
    row = waiting.first()
    if row is None:
        row = Notification(
            recipient=by, kind=Notification.Kind.RETRY_DONE, key=f"retry:{batch.pk}:{uuid4()}", batch_id=batch.pk
        )
    row.details = {"retried": row.details.get("retried", 0) + retried}
    row.save()


def mark_read(user: User, notification_id: int) -> bool:
    """Mark a notification of a person as read. Return False if they have none with this identifier."""
    rows = Notification.objects.filter(recipient=user, pk=notification_id, published_at__isnull=False, on_page=True)
    rows.filter(read_at=None).update(read_at=timezone.now())
    return rows.exists()


def mark_all_read(user: User) -> int:
    """Mark all notifications of a person as read. Return how many were unread."""
    unread = Notification.objects.filter(recipient=user, read_at=None, published_at__isnull=False)
    return unread.update(read_at=timezone.now())


def remove_old_notifications() -> int:
    """Delete notifications that were read, or not wanted on the page, and are older than `KEPT`. Return the number."""
    limit = timezone.now() - KEPT
    seen = Q(read_at__isnull=False) | Q(on_page=False)
    old = Notification.objects.filter(seen, published_at__lt=limit).values_list("pk", flat=True)
    return Notification.objects.filter(pk__in=list(old[:MAX_DELETED])).delete()[0]
