"""The archive of a backup: a tar file whose last members prove that it is whole.

  manifest.json      what it is: version, date, database engine, rows of each table
  database.…         the snapshot of the database
  media/…            the stored files
  checksums.sha256   the SHA-256 of every member above, in their order, as `sha256sum --check` reads it
  end.json           number of files, and the names of those that could not be read

Members are written and read one after another, so memory use does not depend on their number.
"""

import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from classifier.ops.backup import BackupError

FORMAT = "brainscan-backup"
FORMAT_VERSION = 1
MANIFEST, CHECKSUMS, END = "manifest.json", "checksums.sha256", "end.json"
DATABASE = re.compile(r"database\.(sqlite3|pgdump)")
MEDIA = "media/"
# Manifests and ends are small; a foreign archive must not fill the memory.
MAX_JSON = 64 * 1024 * 1024
CHUNK = 1024 * 1024


class ArchiveWriter:
    """Write the members of a new archive in their order."""

    def __init__(self, path: Path, *, checksums: Path) -> None:
        """Create the archive.

        Args:
            path: The new file.
            checksums: A temporary file for the checksums until they become a member.
        """
        self._tar = tarfile.open(path, "x", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `finish`
        self._checksums_path = checksums
        self._checksums = checksums.open("w", encoding="utf-8")
        self.files = self.bytes = 0

    def add_manifest(self, manifest: dict[str, Any]) -> None:
        """Add what the archive is."""
        content = {"format": FORMAT, "format_version": FORMAT_VERSION} | manifest
        self._add_bytes(MANIFEST, json.dumps(content, indent=1).encode())

    def add_database(self, file: Path) -> None:
        """Add the snapshot of the database under its own name."""
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            self._add(file.name, content, size=file.stat().st_size)
        self._checksums.write(f"{digest}  {file.name}\n")

    def add_media(self, name: str, content: bytes) -> None:
        """Add a stored file."""
        self._add_bytes(MEDIA + name, content)
        self.files += 1
        self.bytes += len(content)

    def finish(self, *, missing: list[str], deleted: list[str]) -> None:
        """Add checksums and end, and close the archive."""
        self._checksums.close()
        with self._checksums_path.open("rb") as content:
            self._add(CHECKSUMS, content, size=self._checksums_path.stat().st_size)
        end = {"files": self.files, "bytes": self.bytes, "missing": missing, "deleted_meanwhile": deleted}
        body = json.dumps(end, indent=1).encode()
        self._add(END, io.BytesIO(body), size=len(body))
        self._tar.close()

    def close(self) -> None:
        """Close the files of an archive that is given up."""
        self._checksums.close()
        if self._tar.fileobj is not None:
            self._tar.fileobj.close()

    def _add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), size=len(content))
        self._checksums.write(f"{hashlib.sha256(content).hexdigest()}  {name}\n")

    def _add(self, name: str, content: IO[bytes], *, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = size, int(time.time()), 0o600
        self._tar.addfile(member, content)
        # The library keeps a list of all members; nothing here reads it.
        self._tar.members = []  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a verified archive.

    Attributes:
        manifest: What it is.
        end: Number of files and names of missing ones.
        database: Name of the member with the snapshot.
        checksums: Temporary file with the checksums of its members, in their order.
    """

    manifest: dict[str, Any]
    end: dict[str, Any]
    database: str
    checksums: Path


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of an archive without reading the rest.

    Raises:
        BackupError: If the file cannot be read, or is not a backup that this version understands.
    """
    with reading(path):
        for member, content in _members(path):
            if member.name != MANIFEST:
                break
            return _manifest(path, content)
    raise BackupError(f"{path} is not a backup of BrainScan.")


def verify(path: Path, *, folder: Path) -> Contents:
    """Read an archive to its end and compare every checksum.

    Args:
        path: The archive.
        folder: A temporary folder for the list of checksums.

    Raises:
        BackupError: If it is foreign, damaged, or incomplete; the message names the damaged member.
    """
    manifest, end, database, listed = read_manifest(path), None, "", False
    checksums = folder / CHECKSUMS
    with reading(path), checksums.open("w", encoding="utf-8") as lines:
        for member, content in _members(path):
            if listed:
                if member.name == END and end is None:
                    end = _json(path, content)
                    continue
                raise BackupError(f"{path} is damaged: it continues after its end.")
            if member.name == CHECKSUMS:
                lines.flush()
                _compare(path, content, checksums)
                listed = True
                continue
            if DATABASE.fullmatch(member.name) and not database:
                database = member.name
            elif member.name != MANIFEST and not _is_media(member.name):
                raise BackupError(f"{path} is not a backup of BrainScan: it has a member {member.name[:100]!r}.")
            lines.write(f"{_digest(content)}  {member.name}\n")
    if end is None or not database:
        raise BackupError(f"{path} is incomplete: its end is missing. Use another backup.")
    return Contents(manifest, end, database, checksums)


def extract(path: Path, contents: Contents) -> Iterator[tuple[str, IO[bytes], str]]:
    """Yield name, content, and SHA-256 of the database and every stored file of a verified archive.

    The content must be read before the next member, within `reading`. The caller compares the checksum: the archive may
    have changed since.
    """
    with contents.checksums.open(encoding="utf-8") as lines:
        for member, content in _members(path):
            line = next(lines, "")
            if not line:
                return
            digest, _, name = line.rstrip("\n").partition("  ")
            if name != member.name:
                raise BackupError(f"{path} changed while it was being read.")
            if name != MANIFEST:
                yield name, content, digest


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise `BackupError` where the archive ends too early or is malformed."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{path} is damaged or incomplete, or not a backup of BrainScan: {error}.") from error


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    try:
        with tarfile.open(path, "r|") as tar:
            while (member := tar.next()) is not None:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise BackupError(f"{path} is not a backup of BrainScan: {member.name[:100]!r} is not a file.")
                yield member, content
                tar.members = []  # type: ignore[attr-defined]
    except FileNotFoundError as error:
        raise BackupError(f"{path} does not exist.") from error
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror or error}.") from error


def _manifest(path: Path, content: IO[bytes]) -> dict[str, Any]:
    manifest = _json(path, content)
    if manifest.get("format") != FORMAT:
        raise BackupError(f"{path} is not a backup of BrainScan.")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BackupError(
            f"{path} was made by version {manifest.get('version')} of BrainScan, in a format that this version cannot "
            "read."
        )
    return manifest


def _json(path: Path, content: IO[bytes]) -> dict[str, Any]:
    try:
        value = json.loads(content.read(MAX_JSON))
    except ValueError as error:
        raise BackupError(f"{path} is damaged, or not a backup of BrainScan.") from error
    if not isinstance(value, dict):
        raise BackupError(f"{path} is not a backup of BrainScan.")
    return value


def _is_media(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.startswith(MEDIA) and len(parts) > 1 and ".." not in parts and "\n" not in name and "//" not in name


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _compare(path: Path, stored: IO[bytes], computed: Path) -> None:
    """Raise `BackupError` naming the first member whose checksum differs."""
    with computed.open("rb") as lines:
        for line in lines:
            wanted = stored.readline()
            if wanted != line:
                name = line.decode().rstrip("\n").partition("  ")[2]
                raise BackupError(f"{path} is damaged: the checksum of {name} is wrong. Use another backup.")
        if stored.read(1):
            raise BackupError(f"{path} is damaged: a file is missing from it. Use another backup.")
