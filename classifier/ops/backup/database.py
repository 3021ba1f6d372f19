"""Snapshots of the database, and how they replace the database of an empty installation."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.postgresql.client import DatabaseClient
from django.db.migrations.loader import MigrationLoader

from classifier.models.derived.texts import FTS
from classifier.ops.backup import BackupError

MEMBERS = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# Waits for a writer that is in the middle of a transaction.
BUSY_SECONDS = 60
IMAGES = "SELECT image FROM classifier_scan UNION SELECT thumbnail FROM classifier_scan ORDER BY 1"
PEOPLES_TABLES = {"classifier_user": "people", "classifier_team": "teams", "classifier_scan": "scans"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database at one moment.

    Attributes:
        file: The file to keep.
        names: A file with the names of the stored images that the rows refer to, one per line.
        tables: Rows of each table.
        migrations: The migrations that made the tables.
    """

    file: Path
    names: Path
    tables: dict[str, int]
    migrations: list[str]


def take_snapshot(folder: Path) -> Snapshot:
    """Store a consistent copy of the database in `folder`, while others continue to write.

    Raises:
        BackupError: If that is not possible.
    """
    file, names = folder / MEMBERS[connection.vendor], folder / "names"
    take = _snapshot_of_sqlite if connection.vendor == "sqlite" else _snapshot_of_postgresql
    try:
        return take(file, names)
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The database cannot be backed up: {error}") from error


def restore_snapshot(file: Path) -> None:
    """Replace the database of this empty installation by a snapshot: all of it, or nothing.

    Raises:
        BackupError: If that fails; the database is as before.
    """
    restore = _restore_sqlite if connection.vendor == "sqlite" else _restore_postgresql
    try:
        restore(file)
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The database could not be restored and is unchanged: {error}") from error


def check_empty() -> None:
    """Check that nobody uses the database yet.

    Raises:
        BackupError: If it has people, teams, or scans, or cannot be read.
    """
    try:
        tables = connection.introspection.table_names()
        counts = count_rows(set(tables) & set(PEOPLES_TABLES))
    except DatabaseError as error:
        raise BackupError(f"The database cannot be read: {error}") from error
    known = {*connection.introspection.django_table_names(), "django_migrations"}
    if foreign := [name for name in tables if name not in known and not name.startswith(("classifier_", "sqlite_"))]:
        raise BackupError(f"The database belongs to something else: it has a table {foreign[0]}. Use an empty one.")
    found = [f"{words}: {counts[table]:,}" for table, words in PEOPLES_TABLES.items() if counts.get(table)]
    if found:
        raise BackupError(
            f"This installation is not empty ({', '.join(found)}). Restore into a new one: set DATA_DIR to an empty "
            "folder, or DATABASE_URL to an empty database and MEDIA_ROOT to an empty folder."
        )


def check_tools() -> None:
    """Check that the programs of PostgreSQL's client are installed, if they are needed.

    Raises:
        BackupError: If they are not.
    """
    missing = [name for name in ("pg_dump", "pg_restore") if shutil.which(name) is None]
    if connection.vendor == "postgresql" and missing:
        raise BackupError(
            f"{' and '.join(missing)} not found. Install PostgreSQL's client programs in the version of the server "
            "or a later one, on Debian: apt install postgresql-client."
        )


def unknown_migrations(applied: Iterable[str]) -> list[str]:
    """Return the migrations that this version does not have."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or {}}
    return sorted(set(applied) - known)


def count_rows(tables: Iterable[str]) -> dict[str, int]:
    """Return the number of rows of each table."""
    counts = {}
    with connection.cursor() as cursor:
        for table in sorted(tables):
            if _is_counted(table):
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
                counts[table] = int(cursor.fetchone()[0])
    return counts


def _is_counted(table: str) -> bool:
    # The full-text index of SQLite consists of tables of its own.
    return not table.startswith((FTS, "sqlite_"))


def _snapshot_of_sqlite(file: Path, names: Path) -> Snapshot:
    connection.ensure_connection()
    target = sqlite3.connect(file)
    with contextlib.closing(target):
        # In one step: a reader of the write-ahead log sees one state, and writers continue.
        connection.connection.backup(target)
        # One file, without a write-ahead log beside it.
        target.execute("PRAGMA journal_mode=DELETE")
        _write_lines(names, (row[0] for row in target.execute(IMAGES)))
        tables = [row[0] for row in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {
            table: int(target.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
            for table in sorted(filter(_is_counted, tables))
        }
        migrations = [f"{app}.{name}" for app, name in target.execute("SELECT app, name FROM django_migrations")]
    return Snapshot(file, names, counts, sorted(migrations))


def _restore_sqlite(file: Path) -> None:
    connection.close()
    path = Path(connection.settings_dict["NAME"])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as target,
    ):
        target.execute("PRAGMA journal_mode=WAL")
        # One transaction of the target: an interruption leaves the empty database.
        source.backup(target)


def _snapshot_of_postgresql(file: Path, names: Path) -> Snapshot:
    # The dump, the counts, and the names are of one state: pg_dump takes the snapshot of this transaction.
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        options = ["--format=custom", "--no-owner", "--no-privileges", "--no-comments", f"--snapshot={snapshot}"]
        _run("pg_dump", [*options, f"--file={file}"])
        counts = count_rows(connection.introspection.table_names(cursor))
        cursor.execute("SELECT app, name FROM django_migrations")
        migrations = [f"{app}.{name}" for app, name in cursor.fetchall()]
        with connection.chunked_cursor() as stream:
            stream.execute(IMAGES)
            _write_lines(names, (row[0] for row in stream))
    return Snapshot(file, names, counts, sorted(migrations))


def _restore_postgresql(file: Path) -> None:
    had_tables = bool(connection.introspection.table_names())
    _drop_everything()
    connection.close()
    try:
        _run("pg_restore", ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(file)])
    except BaseException:
        if had_tables:
            call_command("migrate", interactive=False, verbosity=0)
        raise
    # A dump has no statistics. Without them, pages of a large installation take seconds.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _drop_everything() -> None:
    """Drop the tables and functions of the empty installation, so that the dump can create its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"DROP TABLE IF EXISTS {connection.ops.quote_name(table)} CASCADE")
        cursor.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
            "WHERE n.nspname = current_schema() AND p.proname LIKE 'classifier\\_%%'"
        )
        for (function,) in cursor.fetchall():
            cursor.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")


def _run(program: str, options: list[str]) -> None:
    """Run a program of PostgreSQL's client on this database. Raise `BackupError` with its words if it fails."""
    settings: dict[str, Any] = dict(connection.settings_dict)
    arguments, environment = DatabaseClient.settings_to_cmd_args_env(settings, [])
    # The first is the name of psql and the last the database.
    command = [program, *arguments[1:-1], f"--dbname={arguments[-1]}", "--no-password", *options]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = " ".join(done.stderr.split())[:500]
        raise BackupError(f"{program} failed: {words}")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            if line:
                file.write(f"{line}\n")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file of names."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")
