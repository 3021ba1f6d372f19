"""Make the files that people request: one PDF file after the other, in a process of the lowest priority.

```
  claim ──► folder/parts/001-….pdf, 002-….pdf, … ──► folder/reports.zip.part ──► reports.zip in the storage
       └──► folder/acceptance.pdf.part ──► acceptance.pdf in the storage
```

Each file is complete as soon as it has its name, so a worker that takes over continues where a killed one stopped.
"""

import os
import shutil
import zipfile
from pathlib import Path
from threading import Event, Lock

import structlog
from django.utils import timezone

from classifier.models import ReportArchive, Scan, User
from classifier.reports.acceptance import acceptance_document
from classifier.reports.html import document, scan_report
from classifier.reports.pdf import JOB_SECONDS, PdfFailed, PdfTimeout, for_jobs
from classifier.reports.summary import summary_document, summary_of
from classifier.selectors.acceptance import acceptance_of
from classifier.selectors.commissioning import commissionings_of
from classifier.selectors.scan import get_scan, visible_scans
from classifier.services.errors import Sealed
from classifier.services.report_archive import (
    ArchiveClaim,
    archive_folder,
    claim_archive,
    fail_archive,
    finish_archive,
    release_archive,
    remove_archive_files,
    report_progress,
    store_archive,
)

logger = structlog.get_logger(__name__)

GONE = "deleted, or no longer visible to you"
SEALED = "sealed until you record your impression"
UNMADE = "its report could not be created"
LEFT_TEAM = "The file was not created: you are no longer a member of the team."
PDF_UNMADE = (
    "The server could not create the PDF file. Open the report as a page and print that. Tell your administrator."
)
DISK_FULL = "The server could not store the file. Tell your administrator, then request it again."

# One archive at a time in a process: the other threads stay free for messages.
_busy = Lock()


class _Interrupted(Exception):
    """The worker stops, or another one has taken the archive."""


class _Unmade(Exception):
    """There will be no file; the message is for people."""


def make_archives(stopping: Event) -> None:
    """Make every archive that waits, oldest first, until none is left or `stopping` is set."""
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
            size = _make_acceptance(claim, stopping) if archive.commissioning_id else _make_zip(claim, stopping)
    except _Interrupted:
        release_archive(claim)
    except _Unmade as error:
        fail_archive(claim, str(error))
    except OSError as error:
        logger.error("archive_failed", archive=str(archive.pk), error=repr(error))
        remove_archive_files(archive.pk)
        fail_archive(claim, DISK_FULL)
    else:
        if finish_archive(claim, size=size):
            logger.info("archive_made", archive=str(archive.pk), scans=archive.total, bytes=size)
        elif not ReportArchive.objects.filter(pk=archive.pk).exists():
            # Deleted meanwhile. If another worker has taken it over, the file is that worker's result.
            remove_archive_files(archive.pk)


def _make_zip(claim: ArchiveClaim, stopping: Event) -> int:
    _make_parts(claim, stopping)
    return _pack(claim)


def _make_acceptance(claim: ArchiveClaim, stopping: Event) -> int:
    """Make the PDF file of an acceptance report. Return its size in bytes."""
    archive = claim.row
    assert archive.commissioning_id is not None
    if stopping.is_set():
        raise _Interrupted
    found = commissionings_of(archive.owner).filter(pk=archive.commissioning_id).first()
    report = None if found is None else acceptance_of(found)
    if report is None:
        raise _Unmade(LEFT_TEAM)
    try:
        data = for_jobs.render(acceptance_document(report), seconds=JOB_SECONDS)
    except (PdfTimeout, PdfFailed) as error:
        logger.error("acceptance_unmade", archive=str(archive.pk), error=repr(error))
        raise _Unmade(PDF_UNMADE) from error
    folder = archive_folder(archive.pk)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{archive.file_name}.made"
    _write(path, data)
    return store_archive(archive, path)


def _make_parts(claim: ArchiveClaim, stopping: Event) -> None:
    archive = claim.row
    folder = archive_folder(archive.pk) / "parts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place, scan_id in enumerate(archive.scan_ids, start=1):
        if stopping.is_set():
            raise _Interrupted
        if scan_id not in claim.row.left_out and not list(folder.glob(f"{place:03d}-*.pdf")):
            reason = _make_part(archive.owner, scan_id, folder, place=place)
            if reason:
                claim.row.left_out[scan_id] = reason
        if not report_progress(claim, done=place):
            raise _Interrupted
    summary = folder / "summary.pdf"
    if not summary.exists():
        _make_summary(archive.owner, archive.scan_ids, archive.title, summary)


def _make_part(user: User, scan_id: str, folder: Path, *, place: int) -> str:
    """Make the report of one scan. Return "" or the reason why there is none."""
    try:
        view = scan_report(user, get_scan(user, scan_id))  # type: ignore[arg-type]  # Django takes text for UUIDs
        data = for_jobs.render(document(view), seconds=JOB_SECONDS)
    except Scan.DoesNotExist:
        return GONE
    except Sealed:
        return SEALED
    except (PdfTimeout, PdfFailed) as error:
        logger.error("report_left_out", scan=scan_id, error=repr(error))
        return UNMADE
    name = "-".join(word for word in (f"{place:03d}", "scan", view.facts["scan"]["short_id"], view.number) if word)
    _write(folder / f"{name}.pdf", data)
    return ""


def _make_summary(user: User, scan_ids: list[str], title: str, path: Path) -> None:
    scans = {str(scan.pk): scan for scan in visible_scans(user).with_keys(scan_ids)}
    rows = [scans[scan_id] for scan_id in scan_ids if scan_id in scans]
    try:
        data = for_jobs.render(summary_document(summary_of(user, rows, title=title)), seconds=JOB_SECONDS)
    except (PdfTimeout, PdfFailed) as error:
        logger.error("summary_left_out", error=repr(error))
        return
    _write(path, data)


def _pack(claim: ArchiveClaim) -> int:
    """Write the ZIP file and remove its parts. Return its size in bytes."""
    archive = claim.row
    folder = archive_folder(archive.pk)
    unfinished = folder / "reports.zip.part"
    # PDF files are compressed already.
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as file:
        for part in sorted((folder / "parts").glob("*.pdf")):
            file.write(part, part.name)
        file.writestr("contents.txt", _contents(claim))
    size = store_archive(archive, unfinished)
    shutil.rmtree(folder / "parts")
    return size


def _contents(claim: ArchiveClaim) -> str:
    archive, left_out = claim.row, claim.row.left_out
    lines = [archive.title, f"{archive.total - len(left_out)} of {archive.total} scans have a report in this file.", ""]
    for place, scan_id in enumerate(archive.scan_ids, start=1):
        reason = left_out.get(scan_id)
        lines.append(f"{place:03d}  scan {scan_id}" + (f"  left out: {reason}" if reason else ""))
    return "\n".join(lines) + "\n"


def _write(path: Path, data: bytes) -> None:
    """Write a private file that has its name only when it is complete."""
    unfinished = path.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.replace(unfinished, path)
