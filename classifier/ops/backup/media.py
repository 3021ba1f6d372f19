"""Stored files of a backup, read and written through Django's storage: a folder or an object store."""

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TypeVar

from django.core.files.base import ContentFile

from classifier.ops.backup import BackupError
from classifier.services.storage import scan_storage

Item = TypeVar("Item")
Result = TypeVar("Result")

# An object store answers within milliseconds, so requests overlap; more would only take memory.
THREADS, AHEAD = 8, 32


def read_files(names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Yield each name with the content of its file, in their order; None if the file does not exist.

    Raises:
        BackupError: If the storage fails.
    """
    yield from in_parallel(lambda name: (name, _read(name)), names)


def store_files(files: Iterable[tuple[str, bytes, str]], *, written: list[str]) -> Iterator[str]:
    """Store files, read each one back, and yield its name.

    Args:
        files: Name, content, and SHA-256 of each.
        written: The names of files that did not exist before are appended to it, for `remove_files`.

    Raises:
        BackupError: If another file has the name, or the storage fails.
    """

    def store(file: tuple[str, bytes, str]) -> str:
        name, content, digest = file
        if hashlib.sha256(content).hexdigest() != digest:
            raise BackupError(f"The archive changed while it was being read: {name} is damaged.")
        there = _read(name)
        if there is None:
            written.append(name)
            _save(name, content)
            there = _read(name)
        if there is None or hashlib.sha256(there).hexdigest() != digest:
            raise BackupError(f"The storage already has another file {name}. Use an empty MEDIA_ROOT or S3_PREFIX.")
        return name

    yield from in_parallel(store, files)


def remove_files(names: Iterable[str]) -> None:
    """Remove files with the folders that become empty, as far as possible."""
    storage = scan_storage()
    folders: set[PurePosixPath] = set()
    for name in names:
        with contextlib.suppress(OSError):
            storage.delete(name)
        folders |= set(PurePosixPath(name).parents) - {PurePosixPath(".")}
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        # Object stores have no folders; a folder that still has files cannot be removed.
        with contextlib.suppress(OSError):
            storage.delete(str(folder))


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `function(item)` of each item in their order. At most `AHEAD` results are kept at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _read(name: str) -> bytes | None:
    try:
        with scan_storage().open(name, "rb") as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(f"The storage of the images fails: {error}") from error


def _save(name: str, content: bytes) -> None:
    storage = scan_storage()
    try:
        saved = storage.save(name, ContentFile(content))
        if saved != name:
            storage.delete(saved)
            raise BackupError(f"The storage already has another file {name}. Use an empty MEDIA_ROOT or S3_PREFIX.")
    except OSError as error:
        raise BackupError(f"{name} could not be stored: {error}") from error
