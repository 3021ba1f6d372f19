"""Read and write archives without the code under test, and empty the installation."""

import hashlib
import io
import tarfile
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from classifier.models.append_only import remove_triggers


def empty_installation(settings, tmp_path: Path) -> None:
    """Empty the database of the test, and use another folder for images."""
    remove_triggers(connection)
    call_command("flush", interactive=False, verbosity=0)
    settings.MEDIA_ROOT = tmp_path / "media of the new installation"


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def pack(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, body in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def stored_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
