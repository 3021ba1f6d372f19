"""Make a backup."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from classifier.models import AssistantProvider, Scan
from classifier.ops.backup import BackupError
from classifier.ops.backup.archive import ArchiveWriter
from classifier.ops.backup.database import NAMES, Snapshot, check_tools, read_lines, take_snapshot
from classifier.ops.backup.media import read_files
from classifier.ops.metrics import VERSION
from classifier.services.installation import record_backup
from classifier.services.secrets import fingerprint

logger = structlog.get_logger(__name__)

LAST_BACKUP = "last_backup.json"
SUFFIX = ".tar"
PARTIAL = ".partial"
# Names in one query. SQLite limits the parameters of a statement.
QUERY_SIZE = 400


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup.

    Attributes:
        path: The archive.
        at: When the snapshot of the database was taken.
        scans: Number of scans.
        files: Number of stored files.
        bytes: Size of the archive.
        missing: Names of files that scans refer to and the storage does not have.
        deleted: Names of files whose scan was deleted while the backup ran.
        encrypted_keys: Number of stored keys that only this SECRET_KEY can read.
    """

    path: Path
    at: datetime
    scans: int
    files: int
    bytes: int
    missing: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    encrypted_keys: int = 0


def back_up(destination: Path | None = None) -> Backup:
    """Back up database and stored images into one archive, while people continue to work.

    Args:
        destination: A new file, or a folder that exists; None for `DATA_DIR/backups`.

    Raises:
        BackupError: If that is not possible; nothing is left at the destination.
    """
    check_tools()
    now = timezone.now()
    target = _target(destination, now)
    with _partial_folder(target) as folder:
        try:
            snapshot = take_snapshot(folder)
            draft = folder / target.name
            found = _write(draft, snapshot, now=now, folder=folder)
            _publish(draft, target)
        except OSError as error:
            raise BackupError(f"The backup could not be written to {target}: {error.strerror or error}.") from error
    backup = Backup(
        path=target,
        at=now,
        scans=snapshot.tables.get("classifier_scan", 0),
        files=found.files,
        bytes=target.stat().st_size,
        missing=found.missing,
        deleted=found.deleted,
        encrypted_keys=AssistantProvider.objects.exclude(key="").count(),
    )
    _record(backup)
    return backup


@dataclass(slots=True)
class _Written:
    files: int = 0
    missing: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def _write(draft: Path, snapshot: Snapshot, *, now: datetime, folder: Path) -> _Written:
    written = _Written()
    archive = ArchiveWriter(draft, checksums=folder / "checksums")
    try:
        archive.add_manifest(
            {
                "version": VERSION,
                "created_at": now.isoformat(timespec="seconds"),
                "database": NAMES[connection.vendor],
                "tables": snapshot.tables,
                "migrations": snapshot.migrations,
                "secret_key_fingerprint": fingerprint(),
            }
        )
        archive.add_database(snapshot.file)
        snapshot.file.unlink()
        for name, content in read_files(read_lines(snapshot.names)):
            if content is None:
                written.missing.append(name)
            else:
                archive.add_media(name, content)
        written.missing, written.deleted = _sorted_out(written.missing)
        archive.finish(missing=written.missing, deleted=written.deleted)
    finally:
        archive.close()
    written.files = archive.files
    return written


def _sorted_out(names: list[str]) -> tuple[list[str], list[str]]:
    """Return which of the absent files a scan still refers to, and which were deleted with their scan."""
    needed: set[str] = set()
    for start in range(0, len(names), QUERY_SIZE):
        some = names[start : start + QUERY_SIZE]
        for pair in Scan.objects.filter(Q(image__in=some) | Q(thumbnail__in=some)).values_list("image", "thumbnail"):
            needed |= set(pair)
    return [name for name in names if name in needed], [name for name in names if name not in needed]


def _target(destination: Path | None, now: datetime) -> Path:
    name = f"brainscan-{now:%Y%m%d-%H%M%S}{SUFFIX}"
    if destination is None:
        destination = Path(settings.DATA_DIR) / "backups"
        with contextlib.suppress(OSError):
            destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not destination.is_dir() and destination.suffix != SUFFIX:
        # A missing folder must not become a file that the next backup refuses to replace.
        raise BackupError(f"There is no folder {destination}. Create it, or name a file that ends in {SUFFIX}.")
    target = destination / name if destination.is_dir() else destination
    if target.exists():
        raise BackupError(f"{target} already exists. Choose another name.")
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}. Create it, or choose another one.")
    return target


@contextlib.contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """Provide a folder beside the target, on the same disk, and remove it at the end.

    Folders of backups that were killed are removed, too: their lock has ended with them.
    """
    for left in target.parent.glob(f".*.tar{PARTIAL}"):
        with contextlib.suppress(OSError), _locked(left):
            shutil.rmtree(left)
    folder = target.parent / f".{target.stem}.tar{PARTIAL}"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise BackupError(f"{target.parent} cannot be written to: {error.strerror}. Choose another folder.") from error
    with _locked(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _publish(draft: Path, target: Path) -> None:
    """Give a whole archive its name. After a power cut it is there entirely, or not at all."""
    draft.chmod(0o600)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    # Unlike a rename, a link never replaces a file that appeared meanwhile.
    try:
        os.link(draft, target)
    except FileExistsError as error:
        raise BackupError(f"{target} already exists. Choose another name.") from error
    except OSError:  # A file system without hard links.
        draft.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(backup: Backup) -> None:
    """Record the backup: in the database for the pages of every host, and in a file for monitoring."""
    facts = {
        "at": backup.at.isoformat(timespec="seconds"),
        "path": str(backup.path.resolve()),
        "scans": backup.scans,
        "files": backup.files,
        "bytes": backup.bytes,
        "missing": len(backup.missing),
    }
    logger.info("backup_made", **facts)
    try:
        record_backup(facts)
    except DatabaseError as error:
        # The backup is whole all the same; before `migrate` of a new version a column may be missing.
        logger.warning("last_backup_not_recorded", error=str(error))
    file = Path(settings.DATA_DIR) / LAST_BACKUP
    draft = file.with_name(f".{LAST_BACKUP}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(facts, indent=1) + "\n")
        draft.replace(file)
    except OSError as error:
        logger.warning("last_backup_not_written", error=str(error))
