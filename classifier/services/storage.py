"""Maintenance of the stored files, on a disk or in an object store."""

import contextlib
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from uuid import UUID

import structlog
from django.core.files.storage import Storage
from django.utils import timezone

from classifier.models import Scan
from classifier.models.scan import image_path

logger = structlog.get_logger(__name__)

# Files are written moments before their row. A process that died in between leaves older files without a row.
ORPHAN_SECONDS = 3600
# Identifiers in one query. SQLite limits the parameters of a statement.
QUERY_SIZE = 500


def scan_storage() -> Storage:
    """Return the storage of the scans' files."""
    return Scan.image.field.storage


def folder_of(scan_id: UUID) -> str:
    """Return the name of the folder that holds only this scan's files."""
    return str(PurePosixPath(image_path(Scan(pk=scan_id), "image.png")).parent)


def remove_files(scan_id: UUID) -> None:
    """Remove a scan's files, if there are any."""
    with contextlib.suppress(OSError):
        remove_folder(scan_storage(), folder_of(scan_id))


def remove_folder(storage: Storage, folder: str) -> None:
    """Remove a folder without subfolders.

    Raises:
        OSError: If it does not exist, or the storage fails.
    """
    for name in storage.listdir(folder)[1]:
        storage.delete(f"{folder}/{name}")
    # Object stores have no folders; there this has no effect.
    storage.delete(folder)


def remove_orphaned_files(*, older_than_seconds: float = ORPHAN_SECONDS) -> int:
    """Remove stored images whose scan does not exist. Return the number of folders removed."""
    storage = scan_storage()
    limit = timezone.now() - timedelta(seconds=older_than_seconds)
    removed = 0
    for shard in _folders(storage, "scans"):
        ids = [scan_id for name in _folders(storage, f"scans/{shard}") if (scan_id := _uuid(name)) is not None]
        for start in range(0, len(ids), QUERY_SIZE):
            some = ids[start : start + QUERY_SIZE]
            known = set(Scan.objects.filter(pk__in=some).values_list("pk", flat=True))
            for scan_id in set(some) - known:
                with contextlib.suppress(OSError):
                    if _last_change(storage, folder_of(scan_id)) < limit:
                        remove_folder(storage, folder_of(scan_id))
                        removed += 1
                        logger.info("orphaned_files_removed", scan=str(scan_id))
    return removed


def _folders(storage: Storage, folder: str) -> list[str]:
    try:
        return storage.listdir(folder)[0]
    except FileNotFoundError:
        return []


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _last_change(storage: Storage, folder: str) -> datetime:
    names = [f"{folder}/{name}" for name in storage.listdir(folder)[1]]
    return max(map(storage.get_modified_time, names or [folder]))
