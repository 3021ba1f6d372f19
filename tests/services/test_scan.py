"""Submitting, describing and deleting scans."""

import errno
import threading
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import DatabaseError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.intake import RefusedImage
from classifier.models import Analysis, Scan, Team
from classifier.services import scan as service
from classifier.services import storage
from classifier.services.errors import Conflict, Invalid, NotAllowed, StorageFull
from tests.factories import TeamFactory, UserFactory, join, make_scan, png_bytes

pytestmark = pytest.mark.django_db


def stored_files(settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_a_submission_is_a_scan_with_files_and_a_queued_analysis(owner, settings):
    submission = service.submit_scan(owner=owner, file=png_bytes(width=120, height=90), patient_reference=" P 7 ")
    scan = Scan.objects.get()
    assert (scan.width, scan.height, scan.source_format, scan.patient_reference) == (120, 90, "PNG", "P 7")
    assert scan.current_analysis == submission.analysis
    assert (submission.analysis.state, submission.analysis.model_name) == ("queued", "xception")
    assert sorted(path.name for path in stored_files(settings)) == ["image.png", "thumbnail.png"]


def test_stored_files_are_readable_by_the_process_only(owner, settings):
    service.submit_scan(owner=owner, file=png_bytes())
    assert {path.stat().st_mode & 0o777 for path in stored_files(settings)} == {0o600}


def test_the_workers_are_notified_only_after_the_commit(owner, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        service.submit_scan(owner=owner, file=png_bytes())
    assert len(callbacks) == 1


def test_a_refused_file_stores_nothing(owner, settings):
    with pytest.raises(RefusedImage):
        service.submit_scan(owner=owner, file=b"<svg/>")
    assert not Scan.objects.exists()
    assert stored_files(settings) == []


def test_a_failed_transaction_takes_its_files_along(owner, settings, monkeypatch):
    def fail(*_args, **_kwargs):
        raise DatabaseError("gone")

    monkeypatch.setattr(service, "next_analysis", fail)
    with pytest.raises(DatabaseError):
        service.submit_scan(owner=owner, file=png_bytes())
    assert not Scan.objects.exists()
    assert stored_files(settings) == []


@pytest.mark.django_db(transaction=True)
def test_a_scan_whose_commit_was_not_confirmed_keeps_its_files(settings, monkeypatch):
    owner, content = UserFactory(), png_bytes()

    def lose_the_answer(wrapper):
        wrapper.connection.commit()
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "_commit", lose_the_answer)
        with pytest.raises(OperationalError):
            service.submit_scan(owner=owner, file=content, idempotency_key="once")
    again = service.submit_scan(owner=owner, file=content, idempotency_key="once")
    assert again.replayed
    assert len(stored_files(settings)) == 2
    assert Path(again.scan.image.path).is_file()


@pytest.mark.django_db(transaction=True)
def test_a_team_that_is_deleted_meanwhile_is_reported_and_leaves_nothing(settings, monkeypatch):
    owner = UserFactory()
    team = TeamFactory()
    join(team, owner)
    thumbnail = service.thumbnail_png

    def delete_meanwhile(image):
        Team.objects.filter(pk=team.pk).delete()
        return thumbnail(image)

    monkeypatch.setattr(service, "thumbnail_png", delete_meanwhile)
    with pytest.raises(NotAllowed, match="team was deleted"):
        service.submit_scan(owner=owner, file=png_bytes(), team=team)
    assert stored_files(settings) == []


def test_a_full_disk_is_reported_and_leaves_nothing(owner, settings, monkeypatch):
    whole = FileSystemStorage._save

    def full(self, name, content):
        if name.endswith("thumbnail.png"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    with pytest.raises(StorageFull, match="no space left"):
        service.submit_scan(owner=owner, file=png_bytes())
    assert not Scan.objects.exists()
    assert stored_files(settings) == []


def test_the_same_pixels_point_to_the_earlier_scan(owner):
    content = png_bytes()
    first = service.submit_scan(owner=owner, file=content)
    second = service.submit_scan(owner=owner, file=content)
    assert first.earlier is None
    assert second.earlier == first.scan
    assert Scan.objects.count() == 2


def test_the_same_pixels_of_an_outsider_are_not_reported(owner, outsider):
    content = png_bytes()
    service.submit_scan(owner=outsider, file=content)
    assert service.submit_scan(owner=owner, file=content).earlier is None


def test_the_same_pixels_of_a_teammate_are_reported(owner, teammate, team):
    content = png_bytes()
    theirs = service.submit_scan(owner=teammate, file=content, team=team)
    assert service.submit_scan(owner=owner, file=content).earlier == theirs.scan


def test_only_members_submit_to_a_team(owner):
    with pytest.raises(NotAllowed):
        service.submit_scan(owner=owner, file=png_bytes(), team=TeamFactory())


@pytest.mark.parametrize("reference", ["x" * 65, "<script>", "a\x00b", "P;1"])
def test_odd_patient_references_are_refused(owner, reference):
    with pytest.raises(Invalid, match="patient reference"):
        service.submit_scan(owner=owner, file=png_bytes(), patient_reference=reference)


@pytest.mark.parametrize("reference", ["", "P-1", "STUDY 12/0042", "Ä.7_b", "2026-11:3"])
def test_usual_patient_references_are_kept(owner, reference):
    assert service.submit_scan(owner=owner, file=png_bytes(), patient_reference=reference).scan.patient_reference == (
        reference
    )


def test_overlong_notes_are_refused(owner):
    with pytest.raises(Invalid, match="4001"):
        service.submit_scan(owner=owner, file=png_bytes(), notes="x" * 4001)


def test_an_idempotency_key_gives_the_first_scan_again(owner):
    content = png_bytes()
    first = service.submit_scan(owner=owner, file=content, idempotency_key="k1")
    again = service.submit_scan(owner=owner, file=content, idempotency_key="k1")
    assert again.replayed
    assert (again.scan, again.analysis) == (first.scan, first.analysis)
    assert Analysis.objects.count() == 1


def test_an_idempotency_key_belongs_to_one_image(owner):
    service.submit_scan(owner=owner, file=png_bytes(), idempotency_key="k1")
    with pytest.raises(Conflict, match="another image"):
        service.submit_scan(owner=owner, file=png_bytes(), idempotency_key="k1")


def test_an_idempotency_key_belongs_to_one_person(owner, outsider):
    content = png_bytes()
    service.submit_scan(owner=owner, file=content, idempotency_key="k1")
    assert not service.submit_scan(owner=outsider, file=content, idempotency_key="k1").replayed


@pytest.mark.django_db(transaction=True)
def test_one_key_at_once_from_many_threads_makes_one_scan(settings):
    owner, content, answers, errors = UserFactory(), png_bytes(), [], []

    def submit() -> None:
        try:
            answers.append(service.submit_scan(owner=owner, file=content, idempotency_key="k1").scan.pk)
        except Exception as error:  # reported by the main thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=submit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(answers)) == 1
    assert Scan.objects.count() == 1
    assert len(stored_files(settings)) == 2


def test_deleting_takes_files_and_analyses(owner, settings, django_capture_on_commit_callbacks):
    scan = service.submit_scan(owner=owner, file=png_bytes()).scan
    with django_capture_on_commit_callbacks(execute=True):
        service.delete_scan(scan, by=owner)
    assert not Scan.objects.exists()
    assert not Analysis.objects.exists()
    assert stored_files(settings) == []


def test_deleting_leaves_no_folder_behind(owner, settings, django_capture_on_commit_callbacks):
    scan = make_scan(owner)
    with django_capture_on_commit_callbacks(execute=True):
        service.delete_scan(scan, by=owner)
    assert list(Path(settings.MEDIA_ROOT).glob("scans/*/*")) == []


def test_a_scan_stays_with_a_team_that_its_owner_has_left(owner, team):
    scan = make_scan(owner, team=team)
    team.memberships.filter(user=owner).delete()
    assert service.move_scan(scan, by=owner, team=team).team == team


@pytest.mark.parametrize("key", ["a\x00b", "x" * 256, "line\nbreak"])
def test_odd_idempotency_keys_are_refused(owner, key):
    with pytest.raises(Invalid, match="Idempotency-Key"):
        service.submit_scan(owner=owner, file=png_bytes(), idempotency_key=key)


def test_only_the_owner_deletes_and_describes(owner, teammate, team):
    scan = make_scan(owner, team=team)
    with pytest.raises(NotAllowed):
        service.delete_scan(scan, by=teammate)
    with pytest.raises(NotAllowed):
        service.update_scan(scan, by=teammate, patient_reference="X", notes="")
    with pytest.raises(NotAllowed):
        service.move_scan(scan, by=teammate, team=None)


def test_describing_and_moving(owner, team):
    scan = make_scan(owner)
    service.update_scan(scan, by=owner, patient_reference="P-9", notes=" seen twice ")
    service.move_scan(scan, by=owner, team=team)
    scan.refresh_from_db()
    assert (scan.patient_reference, scan.notes, scan.team) == ("P-9", "seen twice", team)


def test_moving_to_a_foreign_team_is_refused(owner):
    with pytest.raises(NotAllowed):
        service.move_scan(make_scan(owner), by=owner, team=TeamFactory())


def test_files_without_a_row_are_swept_and_others_kept(owner, settings):
    kept = make_scan(owner)
    orphan = Path(settings.MEDIA_ROOT) / "scans" / "00" / "00000000-0000-4000-8000-000000000000"
    orphan.mkdir(parents=True)
    (orphan / "image.png").write_bytes(b"left behind")
    assert storage.remove_orphaned_files() == 0
    assert storage.remove_orphaned_files(older_than_seconds=-1) == 1
    assert not orphan.exists()
    assert Path(kept.image.path).exists()
