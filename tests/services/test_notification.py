"""Notifications: made from events, once, for those whom they concern; published when a batch has finished."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from classifier import tasks
from classifier.events import Kind
from classifier.models import Batch, BatchFile, Event, EventCursor, Notification, User
from classifier.notification_text import text
from classifier.services import notification as service
from classifier.services.event_reader import GAP_SECONDS
from classifier.services.model import record_model_version
from classifier.services.review import submit_review
from tests.factories import make_analysis, make_scan
from tests.services.notification_events import record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("start")]


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
