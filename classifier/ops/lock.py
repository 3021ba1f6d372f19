"""Locks of an installation on one machine. They end with the process that holds them, even if it is killed."""

import fcntl
from pathlib import Path
from typing import TextIO

UP_LOCK = "up.lock"


class Locked(Exception):
    """Another process holds the lock."""


def lock(path: Path) -> TextIO:
    """Return the locked file, which holds the lock until it is closed.

    Raises:
        Locked: If another process holds it.
    """
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Locked from error
    return file
