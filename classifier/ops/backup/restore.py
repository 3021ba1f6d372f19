"""Restore a backup into an empty installation."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from classifier.ops.backup import BackupError
from classifier.ops.backup.archive import CHUNK, MEDIA, Contents, extract, read_manifest, reading, verify
from classifier.ops.backup.database import (
    NAMES,
    check_empty,
    check_tools,
    count_rows,
    restore_snapshot,
    unknown_migrations,
)
from classifier.ops.backup.media import remove_files, store_files
from classifier.ops.lock import UP_LOCK, Locked, lock
from classifier.queue.state import live_workers
from classifier.services.secrets import fingerprint

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """A finished restoration.

    Attributes:
        manifest: What the archive says of itself.
        scans: Number of scans.
        files: Number of files stored and verified.
        missing: Names of files that the backup does not have although a scan refers to them.
        deleted: Names of files of scans that were deleted while the backup ran.
        same_secret_key: Whether this installation has the SECRET_KEY of the backup.
        encrypted_keys: Number of stored keys that only the SECRET_KEY of the backup can read.
    """

    manifest: dict[str, Any]
    scans: int
    files: int
    missing: list[str]
    deleted: list[str]
    same_secret_key: bool
    encrypted_keys: int


def restore(path: Path) -> Restored:
    """Restore database and stored images, and verify rows and checksums.

    The archive is verified to its end before anything is written. The images come first and the database last, in one
    transaction: until then the installation is empty, and after a failure it still is.

    Raises:
        BackupError: If that is not possible; nothing is left of the backup.
    """
    manifest = read_manifest(path)
    _check_fits(path, manifest)
    check_tools()
    data_dir = Path(settings.DATA_DIR)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = lock(data_dir / UP_LOCK)
    except Locked as error:
        raise BackupError(f"BrainScan is running on the data in {data_dir}. Stop it first.") from error
    except OSError as error:
        raise BackupError(f"DATA_DIR cannot be used: {data_dir}: {error.strerror}.") from error
    with held, _temporary_folder(data_dir) as folder:
        check_empty()
        _check_no_worker()
        contents = verify(path, folder=folder)
        written: list[str] = []
        try:
            files = _store(path, contents, folder=folder, written=written)
            restore_snapshot(folder / contents.database)
        except OSError as error:
            remove_files(written)
            raise BackupError(f"The backup could not be restored: {error.strerror or error}.") from error
        except BaseException:
            remove_files(written)
            raise
        rows = _verified_rows(contents.manifest)
    logger.info("backup_restored", scans=rows.get("classifier_scan", 0), files=files)
    return Restored(
        manifest=contents.manifest,
        scans=rows.get("classifier_scan", 0),
        files=files,
        missing=list(contents.end.get("missing", [])),
        deleted=list(contents.end.get("deleted_meanwhile", [])),
        same_secret_key=contents.manifest.get("secret_key_fingerprint") == fingerprint(),
        encrypted_keys=_encrypted_keys(),
    )


def _check_fits(path: Path, manifest: dict[str, Any]) -> None:
    engine = NAMES[connection.vendor]
    if manifest.get("database") != engine:
        raise BackupError(
            f"{path} is a backup of {manifest.get('database')}, and this installation uses {engine}. "
            "DATABASE_URL chooses the database."
        )
    if unknown_migrations(manifest.get("migrations", [])):
        raise BackupError(
            f"{path} was made by a newer version of BrainScan ({manifest.get('version')}). Install that version first."
        )


def _check_no_worker() -> None:
    if "classifier_workerprocess" not in connection.introspection.table_names():
        return
    oldest = live_workers(now=timezone.now()).values_list("host", "pid").first()
    if oldest is not None:
        raise BackupError(f"A worker of this installation runs ({oldest[0]}:{oldest[1]}). Stop BrainScan first.")


def _store(path: Path, contents: Contents, *, folder: Path, written: list[str]) -> int:
    """Store the images, put the snapshot of the database into `folder`, and return the number of images."""

    def media() -> Iterator[tuple[str, bytes, str]]:
        with reading(path):
            for name, content, digest in extract(path, contents):
                if name == contents.database:
                    _copy(content, folder / name)
                else:
                    yield name.removeprefix(MEDIA), content.read(), digest

    files = sum(1 for _ in store_files(media(), written=written))
    if files != contents.end.get("files"):
        raise BackupError(f"{path} is damaged: it has {files:,} files, not {contents.end.get('files')}.")
    return files


def _copy(content: IO[bytes], file: Path) -> None:
    with file.open("wb") as target:
        shutil.copyfileobj(content, target, CHUNK)


def _verified_rows(manifest: dict[str, Any]) -> dict[str, int]:
    """Return the rows of each table. Raise `BackupError` where they differ from those of the backup."""
    wanted = manifest.get("tables", {})
    rows = count_rows(connection.introspection.table_names())
    wrong = sorted(table for table in wanted.keys() | rows.keys() if wanted.get(table) != rows.get(table))
    if wrong:
        raise BackupError(
            f"The database was restored, but its rows differ from the backup in {', '.join(wrong)}. "
            "Do not use this installation."
        )
    return rows


def _encrypted_keys() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM classifier_assistantprovider WHERE key <> ''")
        return int(cursor.fetchone()[0])


@contextlib.contextmanager
def _temporary_folder(data_dir: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=data_dir) as name:
        yield Path(name)
