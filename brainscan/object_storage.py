"""Stored files in an S3-compatible object store."""

import errno
from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

# A web thread waits for the store, so it must answer or fail well before the client gives up.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 2


class ObjectStorage(S3Storage):  # type: ignore[misc]  # the library has no types
    """S3 storage that fails with `OSError`, as a disk does, so that callers handle both alike.

    Files are private: nothing is served from the store directly.
    """

    def get_default_settings(self) -> dict[str, Any]:
        """Return the library's settings with ours."""
        ours: dict[str, Any] = {
            "default_acl": None,
            "file_overwrite": False,
            "addressing_style": "path",
            "signature_version": "s3v4",
            "client_config": Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS},
                s3={"addressing_style": "path"},
                signature_version="s3v4",
            ),
        }
        return dict(super().get_default_settings()) | ours

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        file: File[bytes] = _translated(super()._open, name, mode)
        return file

    def _save(self, name: str, content: File[bytes]) -> str:
        return str(_translated(super()._save, name, content))

    def exists(self, name: str) -> bool:
        """Return whether the object exists."""
        return bool(_translated(super().exists, name))

    def delete(self, name: str) -> None:
        """Delete the object, if it exists."""
        _translated(super().delete, name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and objects below a prefix."""
        folders, names = _translated(super().listdir, path)
        return folders, names

    def get_modified_time(self, name: str) -> Any:
        """Return the time of the last change."""
        return _translated(super().get_modified_time, name)


def _translated(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (BotoCoreError, ClientError) as error:
        raise OSError(errno.EIO, f"The object store failed: {error}") from error
