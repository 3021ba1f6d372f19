"""Make the files that people request, the one with the fewest reports left first, in a process of the lowest priority.

```
  claim ──► folder/parts/001-….pdf, 002-….pdf, … ──► folder/….zip.part ──► reports.zip in the storage
       └──► folder/report.pdf.made ──► report.pdf in the storage
```

Each file is complete as soon as it has its name, so a worker that takes over continues where a killed one stopped.
"""

import shutil
from pathlib import Path
from threading import Event, Lock

import structlog
from django.utils import timezone

from classifier.models import ReportArchive
from classifier.reports.archive_pdf import Unmade, pdf_of
from classifier.reports.archive_zip import Interrupted, make_zip, write
from classifier.reports.pdf import for_jobs
from classifier.services.report_archive import (
    ArchiveClaim,
    archive_folder,
    claim_archive,
    fail_archive,
    finish_archive,
    release_archive,
    remove_archive_files,
    renewing,
    report_progress,
    store_archive,
)

logger = structlog.get_logger(__name__)

DISK_FULL = "The server could not store the file. Tell your administrator, then request it again."

# One archive at a time in a process: the other threads stay free for messages.
_busy = Lock()


def make_archives(stopping: Event) -> None:
    """Make every archive that waits until none is left or `stopping` is set."""
    if not _busy.acquire(blocking=False):
        return
    try:
        while not stopping.is_set() and (claim := claim_archive()) is not None:
            _make(claim, stopping)
    finally:
        for_jobs.stop()
        _busy.release()


def _make(claim: ArchiveClaim, stopping: Event) -> None:
    archive = claim.row
    try:
        with timezone.override(archive.time_zone):
            path = make_zip(claim, stopping) if archive.is_zip else _make_pdf(claim, stopping)
        with renewing(claim):
            size = store_archive(archive, path)
    except Interrupted:
        release_archive(claim)
    except Unmade as error:
        _fail(claim, str(error))
    except OSError as error:
        logger.error("archive_failed", archive=str(archive.pk), error=repr(error))
        _fail(claim, DISK_FULL)
    else:
        if finish_archive(claim, size=size):
            shutil.rmtree(archive_folder(archive.pk) / "parts", ignore_errors=True)
            logger.info("archive_made", archive=str(archive.pk), scans=archive.total, bytes=size)
        else:
            _remove_deleted(archive)


def _fail(claim: ArchiveClaim, message: str) -> None:
    if fail_archive(claim, message):
        remove_archive_files(claim.row.pk)
    else:
        _remove_deleted(claim.row)


def _remove_deleted(archive: ReportArchive) -> None:
    """Remove the files of a deleted archive. If another worker has taken it over, they are that worker's."""
    if not ReportArchive.objects.filter(pk=archive.pk).exists():
        remove_archive_files(archive.pk)


def _make_pdf(claim: ArchiveClaim, stopping: Event) -> Path:
    archive = claim.row
    if stopping.is_set() or not report_progress(claim, done=0):
        raise Interrupted
    data = pdf_of(archive)
    folder = archive_folder(archive.pk)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{archive.file_name}.made"
    write(path, data)
    return path
