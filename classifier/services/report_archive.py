"""Archives of reports: requests by people, and what workers do to the rows."""

import contextlib
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from classifier.models import AcceptanceReport, ReportArchive, Scan, User
from classifier.models.report_archive import MAX_TITLE, PDF_NAME, ZIP_NAME
from classifier.queue.notify import notify_archive_workers
from classifier.services.errors import Conflict, Invalid
from classifier.services.leases import Claim, Leases
from classifier.services.notification import notify_of_archive

logger = structlog.get_logger(__name__)

# At half a second a report, this is four minutes of one process.
MAX_SCANS = 500
MAX_ACTIVE = 3
MAX_ATTEMPTS = 3
# A report is given up after 45 s; a worker that is silent for longer has died.
LEASE = timedelta(seconds=60)
# Long enough to fetch it after a night shift; it holds images, so it does not stay.
KEPT = timedelta(days=1)
LOST = "The reports could not be created: the process that made them was interrupted three times. Request them again."


ArchiveClaim = Claim[ReportArchive]
leases = Leases(ReportArchive, length=LEASE, max_attempts=MAX_ATTEMPTS)


def request_archive(owner: User, scans: Sequence[Scan], *, title: str) -> ReportArchive:
    """Request the reports of scans as one ZIP file.

    Args:
        owner: who asks, and may fetch the file.
        scans: as loaded by a selector for `owner`. Sealed ones are left out of the file.
        title: Description of the contents, for people.

    Raises:
        Invalid: if there is no scan, or more than `MAX_SCANS`.
        Conflict: if the owner already waits for `MAX_ACTIVE` files.
    """
    if not scans:
        raise Invalid("There is no scan to report on.", code="no_scans")
    if len(scans) > MAX_SCANS:
        raise Invalid(
            f"A ZIP file holds the reports of at most {MAX_SCANS} scans, and these are more. "
            "Narrow the selection and request several files.",
            code="too_many_scans",
        )
    return _requested(owner, title=title, scan_ids=[str(scan.pk) for scan in scans], total=len(scans))


def request_acceptance_file(owner: User, report: AcceptanceReport) -> ReportArchive:
    """Request an acceptance report as a PDF file. One that the owner requested before and that did not fail is enough.

    Args:
        owner: A member of the team, who may fetch the file.
        report: The report, which never changes.

    Raises:
        Conflict: If the owner already waits for `MAX_ACTIVE` files.
    """
    commissioning = report.commissioning
    earlier = ReportArchive.objects.filter(owner=owner, commissioning=commissioning)
    if found := earlier.exclude(state=ReportArchive.State.FAILED).first():
        return found
    title = f"Acceptance report: {commissioning.title}"
    return _requested(owner, title=title, scan_ids=[], total=1, commissioning=commissioning)


def _requested(owner: User, *, title: str, **fields: Any) -> ReportArchive:
    if ReportArchive.objects.filter(owner=owner, state__in=ReportArchive.ACTIVE).count() >= MAX_ACTIVE:
        raise Conflict(
            f"You are already waiting for {MAX_ACTIVE} files. Request the next when one of them is ready.",
            code="too_many_archives",
        )
    with transaction.atomic():
        archive = ReportArchive.objects.create(
            owner=owner, title=title[:MAX_TITLE], time_zone=timezone.get_current_timezone_name(), **fields
        )
        transaction.on_commit(notify_archive_workers)
    logger.info("archive_requested", archive=str(archive.pk), owner=owner.pk, files=archive.total)
    return archive


def delete_archive(archive: ReportArchive) -> None:
    """Delete an archive with its files. A worker that still makes it loses its claim."""
    archive_id = archive.pk
    ReportArchive.objects.filter(pk=archive_id).delete()
    remove_archive_files(archive_id)


def archive_folder(archive_id: UUID) -> Path:
    """Return the folder on this machine in which an archive is made.

    If machines share the media folder, a worker that takes an archive over continues with the finished reports.
    """
    return Path(settings.MEDIA_ROOT) / "reports" / str(archive_id)


def archive_name(archive_id: UUID, *, name: str = ZIP_NAME) -> str:
    """Return the name of the finished file in the storage."""
    return f"reports/{archive_id}/{name}"


def store_archive(archive: ReportArchive, file: Path) -> int:
    """Move a finished file to the storage. Return its size in bytes.

    Raises:
        OSError: If it cannot be stored.
    """
    size, name = file.stat().st_size, archive_name(archive.pk, name=archive.file_name)
    with file.open("rb") as content:
        default_storage.delete(name)
        default_storage.save(name, File(content))
    file.unlink()
    return size


def open_archive(archive: ReportArchive) -> File:  # type: ignore[type-arg]
    """Open a finished file for reading.

    Raises:
        FileNotFoundError: If it was removed.
    """
    return default_storage.open(archive_name(archive.pk, name=archive.file_name), "rb")


def remove_archive_files(archive_id: UUID) -> None:
    """Remove the finished file and what it is made of, if there are any."""
    for name in (ZIP_NAME, PDF_NAME):
        with contextlib.suppress(OSError):
            default_storage.delete(archive_name(archive_id, name=name))
    shutil.rmtree(archive_folder(archive_id), ignore_errors=True)


def claim_archive(*, now: datetime | None = None) -> ArchiveClaim | None:
    """Claim the oldest archive that waits, or whose worker died; None if there is none."""
    return leases.claim(now=now)


def report_progress(claim: ArchiveClaim, *, done: int) -> bool:
    """Store how many reports are made and what is left out, and renew the lease. Return True if the claim holds."""
    return leases.renew(claim, done=done, left_out=claim.row.left_out)


def finish_archive(claim: ArchiveClaim, *, size: int) -> bool:
    """Mark the file as ready. Return True if the claim still held."""
    with transaction.atomic():
        ended = leases.end(
            claim,
            state=ReportArchive.State.SUCCEEDED,
            left_out=claim.row.left_out,
            done=claim.row.total,
            bytes=size,
        )
        return _notified(claim, ended=ended, failed=False)


def fail_archive(claim: ArchiveClaim, message: str) -> bool:
    """Fail the archive permanently, with a sentence for people. Return True if the claim still held."""
    with transaction.atomic():
        ended = leases.fail(claim, message, left_out=claim.row.left_out)
        return _notified(claim, ended=ended, failed=True)


def release_archive(claim: ArchiveClaim) -> None:
    """Queue the archive again without counting the attempt: the worker stops. What is made stays."""
    leases.release(claim)


def sweep_archives(*, now: datetime | None = None) -> None:
    """Fail archives that were interrupted too often, remove old ones, and notify the workers if any wait."""
    now = now or timezone.now()
    leases.fail_lost(LOST, now=now)
    finished = (ReportArchive.State.SUCCEEDED, ReportArchive.State.FAILED)
    for archive in ReportArchive.objects.filter(state__in=finished, finished_at__lt=now - KEPT)[:100]:
        delete_archive(archive)
        logger.info("archive_removed", archive=str(archive.pk))
    if leases.due(now=now).exists():
        notify_archive_workers()


def remove_orphaned_archives() -> None:
    """Remove the files of archives that do not exist any more."""
    names = {folder.name for folder in (Path(settings.MEDIA_ROOT) / "reports").glob("*")}
    with contextlib.suppress(FileNotFoundError):
        names |= set(default_storage.listdir("reports")[0])
    for name in names:
        try:
            archive_id = UUID(name)
        except ValueError:
            continue
        if not ReportArchive.objects.filter(pk=archive_id).exists():
            remove_archive_files(archive_id)


def _notified(claim: ArchiveClaim, *, ended: bool, failed: bool) -> bool:
    """Notify the owner of an archive that has ended. Return `ended`."""
    if ended:
        notify_of_archive(claim.row, failed=failed)
    return ended
