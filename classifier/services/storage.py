"""Maintenance of the media folder."""

import shutil
import time
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings

from classifier.models import Scan
from classifier.models.scan import image_path

logger = structlog.get_logger(__name__)

# Files are written moments before their row. A process that died in between leaves older files without a row.
ORPHAN_SECONDS = 3600


def folder_of(scan_id: UUID) -> Path:
    """Return the folder that holds only this scan's files."""
    return Path(settings.MEDIA_ROOT) / Path(image_path(Scan(pk=scan_id), "image.png")).parent


def remove_files(scan_id: UUID) -> None:
    """Remove a scan's files, if there are any."""
    shutil.rmtree(folder_of(scan_id), ignore_errors=True)


def remove_orphaned_files(*, older_than_seconds: float = ORPHAN_SECONDS) -> int:
    """Remove stored images whose scan does not exist. Return the number of folders removed."""
    now = time.time()
    removed = 0
    for folder in Path(settings.MEDIA_ROOT).glob("scans/??/*"):
        if now - folder.stat().st_mtime < older_than_seconds:
            continue
        try:
            known = Scan.objects.filter(pk=UUID(folder.name)).exists()
        except ValueError:
            continue
        if not known:
            shutil.rmtree(folder)
            removed += 1
            logger.info("orphaned_files_removed", scan=folder.name)
    return removed
