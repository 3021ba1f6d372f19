"""ZIP files of many reports, made by real child processes."""

import zipfile
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.models import ReportArchive, Scan, User
from classifier.reports import archive as job
from classifier.selectors.scan import visible_scans
from classifier.services.errors import Conflict, Invalid
from classifier.services.report_archive import (
    MAX_ATTEMPTS,
    archive_folder,
    archive_name,
    claim_archive,
    request_archive,
    sweep_archives,
)
from tests.factories import make_analysis, make_scan


@pytest.fixture
def scans(owner) -> list[Scan]:
    for _ in range(2):
        make_analysis(make_scan(owner), state="succeeded")
    return list(visible_scans(owner))


def stored(archive: ReportArchive) -> Path:
    return Path(default_storage.path(archive_name(archive.pk)))


def requested(user: User, scans: list[Scan]) -> ReportArchive:
    return request_archive(user, scans, title="Patient P-1")


def test_a_zip_file_holds_a_report_of_each_scan_and_says_what_is_missing(owner, scans) -> None:
    archive = requested(owner, scans)
    Scan.objects.filter(pk=scans[1].pk).delete()

    job.make_archives(Event())

    archive.refresh_from_db()
    assert (archive.state, archive.done, archive.total) == ("succeeded", 2, 2)
    with zipfile.ZipFile(stored(archive)) as file:
        names = file.namelist()
        contents = file.read("contents.txt").decode()
    assert names == [f"001-scan-{scans[0].short_id}.pdf", "summary.pdf", "contents.txt"]
    assert "1 of 2 scans have a report in this file." in contents
    assert f"scan {scans[1].pk}  left out: deleted" in contents
    assert stored(archive).stat().st_mode & 0o077 == 0
    assert [path.name for path in archive_folder(archive.pk).iterdir()] == ["reports.zip"]


def test_another_worker_continues_where_a_killed_one_stopped(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)
    dead = claim_archive()
    assert dead is not None
    parts = archive_folder(archive.pk) / "parts"
    parts.mkdir(parents=True)
    (parts / f"001-scan-{scans[0].short_id}.pdf").write_bytes(b"%PDF made before")
    assert claim_archive() is None
    ReportArchive.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: b"%PDF made after")

    job.make_archives(Event())

    with zipfile.ZipFile(stored(archive)) as file:
        assert [file.read(name)[5:] for name in file.namelist()[:2]] == [b"made before", b"made after"]


def test_a_worker_that_stops_gives_the_archive_back(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)
    stopping = Event()

    def render(document: str, *, seconds: float) -> bytes:
        stopping.set()
        return b"%PDF"

    monkeypatch.setattr(job.for_jobs, "render", render)
    job.make_archives(stopping)

    archive.refresh_from_db()
    assert (archive.state, archive.done, archive.attempts) == ("queued", 1, 0)


def test_a_third_interruption_fails_the_archive_and_a_day_later_it_is_gone(owner, scans) -> None:
    archive = requested(owner, scans)
    later = timezone.now()
    for _ in range(MAX_ATTEMPTS):
        assert claim_archive(now=later) is not None
        later += timedelta(minutes=5)
    assert claim_archive(now=later) is None
    sweep_archives(now=later)
    archive.refresh_from_db()
    assert archive.state == "failed"
    assert "Request them again" in archive.failure_message

    archive_folder(archive.pk).mkdir(parents=True)
    sweep_archives(now=later + timedelta(days=2))
    assert not ReportArchive.objects.exists()
    assert not archive_folder(archive.pk).exists()


def test_too_many_scans_or_files_are_refused_with_a_sentence(owner, scans) -> None:
    with pytest.raises(Invalid, match="at most 500 scans, and these are more"):
        requested(owner, [scans[0]] * 5000)
    with pytest.raises(Invalid, match="no scan"):
        requested(owner, [])
    for _ in range(3):
        requested(owner, scans)
    with pytest.raises(Conflict, match="already waiting for 3"):
        requested(owner, scans)
