"""Jobs that make a ZIP file of many reports: one PDF file after the other, then all of them in one file.

Each report is a file of its own until the last one is made, so memory does not grow with their number and a killed
worker loses one report. Then they are copied into the ZIP file, which needs their space a second time.
"""

import os
import shutil
import time
import zipfile
from pathlib import Path
from threading import Event

import structlog
from django.db import DatabaseError

from classifier.models import ReportArchive, Scan, User
from classifier.models.report_archive import LeftOut
from classifier.reports.archive_pdf import Unmade, summary_page
from classifier.reports.html import document, scan_report
from classifier.reports.pdf import JOB_SECONDS, PdfFailed, PdfTimeout, for_jobs
from classifier.selectors.scan import get_scan
from classifier.services.errors import Sealed
from classifier.services.report_archive import (
    ArchiveClaim,
    archive_folder,
    renewing,
    report_progress,
    shorter_archive_waits,
)

logger = structlog.get_logger(__name__)

NO_SPACE = "The server has too little disk space for these reports. Request fewer, or tell your administrator."
# What a job leaves free, for uploads.
MIN_FREE_BYTES = 1000**3
# A table of this length is made within `JOB_SECONDS` on a machine that is busy otherwise.
SUMMARY_ROWS = 200
# How often progress is stored, and looked for a shorter job: less often than reports are left out.
PROGRESS_SECONDS = 1.0


class Interrupted(Exception):
    """The worker stops, a shorter job waits, or another worker has taken the archive."""


def make_zip(claim: ArchiveClaim, stopping: Event) -> Path:
    """Make the ZIP file of a job and return its path.

    Raises:
        Interrupted: if the worker should do something else. What is made stays.
        Unmade: if there will be no file.
        OSError: if a file cannot be written.
    """
    parts = archive_folder(claim.row.pk) / "parts"
    parts.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_reports(claim, parts, stopping)
    missing = _make_summaries(claim, parts, stopping)
    return _pack(claim, parts, missing)


def write(path: Path, data: bytes) -> None:
    """Write a private file that has its name only when it is complete."""
    unfinished = path.with_suffix(".part")
    with open(unfinished, "wb", opener=_private) as file:
        file.write(data)
    os.replace(unfinished, path)


def _make_reports(claim: ArchiveClaim, parts: Path, stopping: Event) -> None:
    archive = claim.row
    sizes = {int(path.name.partition("-")[0]): path.stat().st_size for path in parts.glob("[0-9]*-*.pdf")}
    size, made, checked = sum(sizes.values()), False, time.monotonic()
    for place, scan_id in enumerate(archive.scan_ids, start=1):
        if stopping.is_set():
            raise Interrupted
        if place not in sizes and scan_id not in archive.left_out:
            if shutil.disk_usage(parts).free < MIN_FREE_BYTES + size:
                logger.error("archive_without_space", archive=str(archive.pk), bytes=size)
                raise Unmade(NO_SPACE)
            report = _make_report(archive, scan_id, parts, place=place)
            if isinstance(report, LeftOut):
                archive.left_out[scan_id] = report.value
            else:
                size, made = size + report.stat().st_size, True
        archive.done = place
        if time.monotonic() - checked >= PROGRESS_SECONDS:
            if not report_progress(claim, done=place, made=made) or shorter_archive_waits(claim, done=place):
                raise Interrupted
            checked = time.monotonic()
    if not report_progress(claim, done=archive.total, made=made):
        raise Interrupted


def _make_report(archive: ReportArchive, scan_id: str, parts: Path, *, place: int) -> Path | LeftOut:
    """Make the report of one scan. Return its path, or the reason why there is none."""
    user: User = archive.owner
    try:
        view = scan_report(user, get_scan(user, scan_id))  # type: ignore[arg-type]  # Django takes text for UUIDs
        data = for_jobs.render(document(view), seconds=JOB_SECONDS)
    except Scan.DoesNotExist:
        return LeftOut.GONE
    except Sealed:
        return LeftOut.SEALED
    except (PdfTimeout, PdfFailed) as error:
        logger.error("report_left_out", scan=scan_id, error=repr(error))
        return LeftOut.UNMADE
    except (OSError, DatabaseError):
        # These concern the server, not this scan.
        raise
    except Exception:
        # One damaged scan must not cost the others their reports.
        logger.exception("report_left_out", scan=scan_id)
        return LeftOut.UNMADE
    words = (_number(archive, place), "scan", view.facts["scan"]["short_id"], view.number)
    path = parts / f"{'-'.join(word for word in words if word)}.pdf"
    write(path, data)
    return path


def _make_summaries(claim: ArchiveClaim, parts: Path, stopping: Event) -> list[str]:
    """Make the tables of all scans, `SUMMARY_ROWS` in each. Return the names of those that could not be made."""
    archive, missing = claim.row, []
    for start in range(0, archive.total, SUMMARY_ROWS):
        if stopping.is_set() or not report_progress(claim, done=archive.total):
            raise Interrupted
        some = archive.scan_ids[start : start + SUMMARY_ROWS]
        title, name = archive.title, "summary.pdf"
        if archive.total > SUMMARY_ROWS:
            title = f"{title}, scans {start + 1:,} to {start + len(some):,} of {archive.total:,}"
            name = f"summary-{_number(archive, start + 1)}.pdf"
        if (parts / name).exists():
            continue
        try:
            data = for_jobs.render(summary_page(archive.owner, some, title=title), seconds=JOB_SECONDS)
        except (PdfTimeout, PdfFailed) as error:
            logger.error("summary_left_out", archive=str(archive.pk), error=repr(error))
            missing.append(name)
            continue
        write(parts / name, data)
    return missing


def _pack(claim: ArchiveClaim, parts: Path, missing: list[str]) -> Path:
    """Write the ZIP file of the parts, which stay until it is stored. Return its path."""
    # A worker that was taken over, and goes on late, writes a file of another name.
    path = parts.parent / f"{claim.token}.zip.part"
    for old in parts.parent.glob("*.zip.part"):
        old.unlink()
    # PDF files are compressed already.
    with (
        renewing(claim),
        open(path, "wb", opener=_private) as target,
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file,
    ):
        for part in sorted(parts.glob("*.pdf")):
            file.write(part, part.name)
        file.writestr("contents.txt", _contents(claim.row, missing))
    return path


def _contents(archive: ReportArchive, missing: list[str]) -> str:
    left_out = archive.left_out
    there = archive.total - len(left_out)
    lines = [archive.title, f"{there:,} of {archive.total:,} scans have a report in this file."]
    lines += [f"{name} could not be created." for name in missing]
    lines.append("")
    for place, scan_id in enumerate(archive.scan_ids, start=1):
        reason = f"  left out: {LeftOut(left_out[scan_id]).label}" if scan_id in left_out else ""
        lines.append(f"{_number(archive, place)}  scan {scan_id}{reason}")
    return "\n".join(lines) + "\n"


def _number(archive: ReportArchive, place: int) -> str:
    """Return a place with leading zeros, so that names sort by it."""
    return str(place).zfill(max(3, len(str(archive.total))))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
