"""ZIP files of many reports, made by real child processes."""

import zipfile
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.models import ReportArchive, Scan, User
from classifier.models.report_archive import LeftOut
from classifier.reports import archive as job
from classifier.reports import archive_zip
from classifier.selectors.report_selection import Selection
from classifier.selectors.scan import visible_scans
from classifier.services.errors import Conflict, Invalid
from classifier.services.report_archive import (
    MAX_ATTEMPTS,
    archive_folder,
    archive_name,
    claim_archive,
    delete_archive,
    remove_orphaned_archives,
    sweep_archives,
)
from classifier.services.report_request import MAX_KEPT_BYTES, MAX_SCANS, request_archive, request_summary_file
from classifier.services.scan import delete_scan
from tests.factories import make_analysis, make_scan


@pytest.fixture
def scans(owner) -> list[Scan]:
    for _ in range(2):
        make_analysis(make_scan(owner), state="succeeded")
    return list(visible_scans(owner))


def stored(archive: ReportArchive) -> Path:
    return Path(default_storage.path(archive_name(archive)))


def requested(user: User, scans: list[Scan], *, title: str = "Patient P-1") -> ReportArchive:
    return request_archive(user, Selection(title, [scan.pk for scan in scans]))


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


def made_without_pdf(owner: User, scans: list[Scan], monkeypatch: pytest.MonkeyPatch) -> ReportArchive:
    archive = requested(owner, scans)
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: b"%PDF")
    job.make_archives(Event())
    assert stored(archive).exists()
    return archive


def test_the_files_that_hold_a_scan_go_with_it(
    owner, scans, monkeypatch, api, django_capture_on_commit_callbacks
) -> None:
    archive = made_without_pdf(owner, scans, monkeypatch)
    other = made_without_pdf(owner, scans[:1], monkeypatch)
    with django_capture_on_commit_callbacks(execute=True):
        delete_scan(scans[1], by=owner)
    assert not archive_folder(archive.pk).exists()
    assert stored(other).exists()
    answer = api(owner).get(f"/api/v1/report-files/{archive.pk}/file")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "changed")


def test_a_file_that_was_made_while_its_scan_was_deleted_is_removed_later(owner, scans, monkeypatch) -> None:
    archive = made_without_pdf(owner, scans, monkeypatch)
    other = made_without_pdf(owner, scans[:1], monkeypatch)
    Scan.objects.filter(pk=scans[1].pk).delete()
    remove_orphaned_archives()
    assert not archive_folder(archive.pk).exists()
    assert stored(other).exists()


def test_a_damaged_scan_costs_the_others_nothing(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)
    Scan.objects.filter(pk=scans[0].pk).update(image="")
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: b"%PDF")

    job.make_archives(Event())

    archive.refresh_from_db()
    assert (archive.state, archive.left_out) == ("succeeded", {str(scans[0].pk): LeftOut.UNMADE})
    with zipfile.ZipFile(stored(archive)) as file:
        assert f"002-scan-{scans[1].short_id}.pdf" in file.namelist()


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


def test_interruptions_with_progress_in_between_do_not_count(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)
    later = timezone.now()
    for _ in range(MAX_ATTEMPTS - 1):
        assert claim_archive(now=later) is not None
        later += timedelta(minutes=5)
    ReportArchive.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(archive_zip, "PROGRESS_SECONDS", 0.0)
    kept = []

    def render(document: str, *, seconds: float) -> bytes:
        kept.append(ReportArchive.objects.get().attempts)
        return b"%PDF"

    monkeypatch.setattr(job.for_jobs, "render", render)
    job.make_archives(Event())

    archive.refresh_from_db()
    assert kept[:2] == [MAX_ATTEMPTS, 1]
    assert archive.state == "succeeded"


def test_a_long_archive_gives_way_to_a_short_one_and_goes_on_after_it(owner, teammate, scans, monkeypatch) -> None:
    monkeypatch.setattr(archive_zip, "PROGRESS_SECONDS", 0.0)
    scans.append(make_scan(owner))
    long = requested(owner, scans * 3, title="Long")
    made: list[int] = []

    def render(document: str, *, seconds: float) -> bytes:
        made.append(len(document))
        if len(made) == 1:
            requested(owner, scans[:1], title="Short")
        if len(made) == 2:
            long.refresh_from_db()
            assert (long.state, long.done, long.attempts) == ("running", 1, 1) or long.state == "queued"
        return b"%PDF"

    monkeypatch.setattr(job.for_jobs, "render", render)
    job.make_archives(Event())

    short = ReportArchive.objects.get(title="Short")
    long.refresh_from_db()
    assert (short.state, long.state) == ("succeeded", "succeeded")
    assert short.finished_at < long.finished_at
    # Each report was made once: nine, one, and the two tables.
    assert len(made) == 12


def test_a_killed_worker_that_had_packed_the_file_loses_no_report(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(job, "store_archive", killed)
        with pytest.raises(KeyboardInterrupt):
            job.make_archives(Event())
    ReportArchive.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    parts = sorted(path.name for path in (archive_folder(archive.pk) / "parts").iterdir())
    assert len(parts) == 3

    def unexpected(document: str, *, seconds: float) -> bytes:
        raise AssertionError("made twice")

    monkeypatch.setattr(job.for_jobs, "render", unexpected)
    job.make_archives(Event())

    with zipfile.ZipFile(stored(archive)) as file:
        assert sorted(file.namelist()) == sorted([*parts, "contents.txt"])
    assert [path.name for path in archive_folder(archive.pk).iterdir()] == ["reports.zip"]


def test_a_job_without_disk_space_fails_with_a_sentence_and_leaves_nothing(owner, scans, monkeypatch) -> None:
    archive = requested(owner, scans)
    monkeypatch.setattr(archive_zip, "MIN_FREE_BYTES", 1 << 60)

    job.make_archives(Event())

    archive.refresh_from_db()
    assert archive.state == "failed"
    assert archive.failure_message.startswith("The server has too little disk space")
    assert not archive_folder(archive.pk).exists()


def test_a_deleted_archive_is_given_up_and_leaves_nothing(owner, scans, monkeypatch) -> None:
    monkeypatch.setattr(archive_zip, "PROGRESS_SECONDS", 0.0)
    archive = requested(owner, scans)
    made = []

    def render(document: str, *, seconds: float) -> bytes:
        made.append(document)
        delete_archive(archive)
        return b"%PDF"

    monkeypatch.setattr(job.for_jobs, "render", render)
    job.make_archives(Event())

    assert len(made) == 1
    assert not archive_folder(archive.pk).exists()


def test_the_tables_of_a_large_archive_are_several_files(owner, scans, monkeypatch) -> None:
    monkeypatch.setattr(archive_zip, "SUMMARY_ROWS", 1)
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: document.encode())
    archive = requested(owner, scans)

    job.make_archives(Event())

    with zipfile.ZipFile(stored(archive)) as file:
        assert file.namelist()[2:] == ["summary-001.pdf", "summary-002.pdf", "contents.txt"]
        assert "Patient P-1, scans 2 to 2 of 2" in file.read("summary-002.pdf").decode()


def test_a_table_of_scans_is_made_as_one_pdf_file(owner, scans, monkeypatch) -> None:
    monkeypatch.setattr(job.for_jobs, "render", lambda document, *, seconds: document.encode())
    archive = request_summary_file(owner, [scan.pk for scan in scans], title="Patient P-1")

    job.make_archives(Event())

    archive.refresh_from_db()
    assert (archive.state, archive.file_name) == ("succeeded", "report.pdf")
    page = stored(archive).read_text()
    assert page.index(scans[0].short_id) < page.index(scans[1].short_id)


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
    with pytest.raises(Invalid, match="at most 5,000 scans, and these are more"):
        requested(owner, [scans[0]] * (MAX_SCANS + 1))
    with pytest.raises(Invalid, match="no scan"):
        requested(owner, [])
    requested(owner, scans)
    ReportArchive.objects.update(bytes=MAX_KEPT_BYTES + 1)
    with pytest.raises(Conflict, match="take more than 4 GB"):
        requested(owner, scans)
    ReportArchive.objects.update(bytes=0)
    for _ in range(2):
        requested(owner, scans)
    with pytest.raises(Conflict, match="already waiting for 3"):
        requested(owner, scans)
