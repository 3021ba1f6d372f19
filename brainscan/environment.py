"""Typed readers of environment variables, and the settings of the embedded default.

An invalid value stops the start with a message that names the variable; nothing falls back silently.
"""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured
from environ import Env

env = Env()
T = TypeVar("T")

# The kernel's limit for the path of a Unix socket is 108 bytes; some systems stop at 104.
MAX_SOCKET_PATH = 100

YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
REDIS_SCHEMES = ("redis", "rediss", "unix")
DATABASE_SCHEMES = ("postgres", "postgresql", "sqlite")
HOST_NAME = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://(\*\.)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]*=*")
"""What `Authorization: Bearer` can carry (RFC 6750, section 2.1)."""
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def flag(value: str) -> bool:
    """Return what a switch says. Raises `ImproperlyConfigured` for anything but the usual words for on and off."""
    word = value.strip().lower()
    if word not in YES + NO:
        raise ImproperlyConfigured(f"use one of {', '.join(YES + NO)}")
    return word in YES


def number(*, minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `minimum` to `maximum`."""

    def read(value: str) -> int:
        if not value.strip().isdecimal() or not minimum <= int(value) <= maximum:
            raise ImproperlyConfigured(f"use a whole number from {minimum} to {maximum}")
        return int(value)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader that takes these words only."""

    def read(value: str) -> str:
        if value not in words:
            raise ImproperlyConfigured(f"use one of {', '.join(words)}")
        return value

    return read


def url(*schemes: str) -> Callable[[str], str]:
    """Return a reader of URLs of these schemes."""

    def read(value: str) -> str:
        if value and (urlsplit(value).scheme not in schemes or "://" not in value):
            raise ImproperlyConfigured(f"use a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return read


def host_names(value: str) -> list[str]:
    """Return host names that are separated by commas, for `ALLOWED_HOSTS`; at least one."""
    names = _words(value)
    if not names or not all(HOST_NAME.fullmatch(name) for name in names):
        raise ImproperlyConfigured("use host names separated by commas, without https:// and without a port")
    return names


def origins(value: str) -> list[str]:
    """Return origins that are separated by commas."""
    names = _words(value)
    if not all(ORIGIN.fullmatch(name) for name in names):
        raise ImproperlyConfigured("use origins like https://scans.example.org separated by commas, without a path")
    return names


def token(value: str) -> str:
    """Return a token that can be sent in a header."""
    if not TOKEN.fullmatch(value.strip()):
        raise ImproperlyConfigured("use only letters from a to z, digits, and - . _ ~ + / (and = at the end)")
    return value.strip()


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def time_zone(value: str) -> str:
    """Return the name of a time zone that exists."""
    if value not in available_timezones():
        raise ImproperlyConfigured("use a name like Europe/Berlin")
    return value


def setting(name: str, default: T, read: Callable[[str], T]) -> T:
    """Return the variable `name` as `read` understands it, or `default` if it is not set.

    Raises:
        ImproperlyConfigured: naming the variable, what it takes, and what was received.
    """
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return read(value)
    except ImproperlyConfigured as error:
        if read is token:
            raise ImproperlyConfigured(f"{name} is invalid: {error}.") from error
        # A URL may contain a password, so the message repeats only its beginning.
        shown = value.partition("://")[0][:20] if name.endswith("_URL") else value
        raise ImproperlyConfigured(f"{name} is invalid: {error}. Received: {shown!r}") from error


def email_settings(default: str) -> dict[str, Any]:
    """Return Django's `EMAIL_…` settings from `EMAIL_URL`.

    Raises:
        ImproperlyConfigured: If the value is invalid.
    """
    try:
        return dict(env.email_url("EMAIL_URL", default=default))
    except (ImproperlyConfigured, ValueError) as error:
        raise ImproperlyConfigured("EMAIL_URL is invalid: use smtp+tls://user:password@host:587.") from error


def private_folder(path: Path) -> Path:
    """Return `path`, created if missing, private to this user. Raise `ImproperlyConfigured` if it cannot be used."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR cannot be used: {path}: {error.strerror}. Set another one.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"DATA_DIR cannot be used: {path} is not writable. Set another one.")
    return path


def embedded_secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir/secret_key`, making it at the first start.

    Two processes that start at once agree: the file is created exclusively, and the second one reads it.
    """
    path = private_folder(data_dir) / "secret_key"
    if not path.exists():
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def broker_socket(data_dir: Path) -> Path:
    """Return where the embedded broker's private socket lies: in `data_dir`, or elsewhere if that is too long."""
    path = data_dir / "broker" / "valkey.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"brainscan-{os.getuid()}-{digest}" / "valkey.sock"


def socket_url(path: Path) -> str:
    """Return kombu's URL for a broker on a Unix socket; the path may contain any characters."""
    return f"redis+socket://{quote(str(path))}"


def kombu_url(redis_url: str) -> str:
    """Return a Redis URL in kombu's spelling: `unix:///path` becomes `redis+socket:///path`."""
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url


def sqlite_database(data_dir: Path) -> dict[str, Any]:
    """Return the settings of the embedded database, `data_dir/brainscan.sqlite3`."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": data_dir / "brainscan.sqlite3",
        "OPTIONS": {
            # Readers never wait for the writer, and a commit is one write to the log.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            # A transaction takes its write lock at the start: none fails half-way because another wrote first.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }


def media_storage() -> dict[str, Any]:
    """Return the storage of uploaded images: an object store if `S3_BUCKET` is set, else the folder `MEDIA_ROOT`."""
    bucket = env.str("S3_BUCKET", "").strip()
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    options = {
        "bucket_name": bucket,
        "endpoint_url": setting("S3_ENDPOINT_URL", "", url("http", "https")) or None,
        "region_name": env.str("S3_REGION", "").strip() or None,
        "access_key": env.str("S3_ACCESS_KEY", "").strip() or None,
        "secret_key": env.str("S3_SECRET_KEY", "").strip() or None,
        "location": env.str("S3_PREFIX", "").strip(),
    }
    return {"BACKEND": "brainscan.object_storage.ObjectStorage", "OPTIONS": options}
