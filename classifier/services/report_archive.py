"""Files of reports: where they are, and what workers do to the rows. `report_request` has the requests."""

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from classifier.models import ReportArchive, Scan
from classifier.queue.notify import notify_archive_workers
from classifier.services.leases import Claim, Leases
from classifier.services.notification import notify_of_archive
from classifier.services.storage import remove_folder

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
# A report is given up after 45 s; a worker that is silent for longer has died.
LEASE = timedelta(seconds=60)
# Long enough to fetch it after a night shift; it holds images, so it does not stay.
KEPT = timedelta(days=1)
LOST = "The reports could not be created: the process that made them was interrupted three times. Request them again."


ArchiveClaim = Claim[ReportArchive]
leases = Leases(ReportArchive, length=LEASE, max_attempts=MAX_ATTEMPTS)


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


def archive_name(archive: ReportArchive) -> str:
    """Return the name of the finished file in the storage."""
    return f"reports/{archive.pk}/{archive.file_name}"


class _MadeFile(File):  # type: ignore[type-arg]
    """A finished file, which a storage on the same disk moves instead of copying it."""

    def temporary_file_path(self) -> str:
        """Return the path, as Django's storage asks for it."""
        return str(self.name)


def store_archive(archive: ReportArchive, file: Path) -> int:
    """Move a finished file to the storage. Return its size in bytes.

    Raises:
        OSError: If it cannot be stored.
    """
    size, name = file.stat().st_size, archive_name(archive)
    with file.open("rb") as content:
        default_storage.delete(name)
        default_storage.save(name, _MadeFile(content, name=str(file)))
    file.unlink(missing_ok=True)
    return size


def open_archive(archive: ReportArchive) -> File:  # type: ignore[type-arg]
    """Open a finished file for reading.

    Raises:
        FileNotFoundError: If it was removed.
    """
    return default_storage.open(archive_name(archive), "rb")


def remove_archive_files(archive_id: UUID) -> None:
    """Remove the finished file and what it is made of, if there are any."""
    with contextlib.suppress(OSError):
        remove_folder(default_storage, f"reports/{archive_id}")
    shutil.rmtree(archive_folder(archive_id), ignore_errors=True)


def remove_files_with(scan_id: UUID) -> None:
    """Remove the finished files that hold a deleted scan: nobody may have them anymore, and they show its image.

    Files that are being made are left to `remove_orphaned_archives`. The rows stay for their day and say what happened.
    """
    ended = ReportArchive.objects.exclude(state__in=ReportArchive.ACTIVE).annotate(keys=Cast("scan_ids", TextField()))
    for archive in ended.filter(keys__contains=str(scan_id)).only("left_out"):
        if str(scan_id) not in archive.left_out:
            remove_archive_files(archive.pk)


def claim_archive(*, now: datetime | None = None) -> ArchiveClaim | None:
    """Claim the archive with the fewest reports left that waits, or whose worker died; None if there is none.

    So one report never waits for the five thousand of somebody else.
    """
    return leases.claim(now=now, order=(F("total") - F("done"), "created_at", "pk"))


def shorter_archive_waits(claim: ArchiveClaim, *, done: int) -> bool:
    """Return whether an archive with fewer reports left waits than the claimed one has, of which `done` are made."""
    return leases.due().filter(total__lt=F("done") + claim.row.total - done).exists()


def report_progress(claim: ArchiveClaim, *, done: int, made: bool = False) -> bool:
    """Store how many reports are finished and what is left out, and renew the lease. Return True if the claim holds.

    Args:
        claim: the claim.
        done: how many reports are made or left out.
        made: whether a report was made since the claim, so that earlier interruptions do not count.
    """
    claim.row.done = done
    progress = {"done": done, "left_out": claim.row.left_out} | ({"attempts": 1} if made else {})
    return leases.renew(claim, **progress)


@contextlib.contextmanager
def renewing(claim: ArchiveClaim) -> Iterator[None]:
    """Renew the lease in a thread until the context ends: a large file can take longer to store than a lease."""
    ended = Event()

    def renew() -> None:
        try:
            while not ended.wait(LEASE.total_seconds() / 4):
                leases.renew(claim)
        finally:
            connection.close()

    thread = Thread(target=renew, name="archive-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def finish_archive(claim: ArchiveClaim, *, size: int) -> bool:
    """Mark the file as ready. Return True if the claim still held."""
    with transaction.atomic():
        ended = leases.end(
            claim,
            state=ReportArchive.State.SUCCEEDED,
            left_out=claim.row.left_out,
            content_sha256=claim.row.content_sha256,
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
    """Queue the archive again without counting the attempt. What is made stays."""
    leases.change(claim, done=claim.row.done, left_out=claim.row.left_out)
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
    """Remove the files of archives that do not exist any more, or that hold a scan that was deleted."""
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
    for archive in ReportArchive.objects.exclude(state__in=ReportArchive.ACTIVE).iterator(chunk_size=1):
        inside = [key for key in archive.scan_ids if key not in archive.left_out]
        if Scan.objects.with_keys(inside).count() < len(inside):
            remove_archive_files(archive.pk)


def _notified(claim: ArchiveClaim, *, ended: bool, failed: bool) -> bool:
    """Notify the owner of an archive that has ended. Return `ended`."""
    if ended:
        notify_of_archive(claim.row, failed=failed)
    return ended
