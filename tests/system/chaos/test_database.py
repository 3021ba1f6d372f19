"""The database goes away: PostgreSQL is killed and started again later, or stands still; SQLite is locked."""

import contextlib
import signal
import sqlite3
import time
from pathlib import Path

from tests.system.chaos.load import scans, sentence_of


def test_a_database_that_is_away_for_a_while_loses_nothing(target, scenario, form):
    for absence in (locked,) if target.database is None else (killed, silent):
        scenario.load.begin(scans(form.some))
        scenario.await_running()
        with absence(target):
            scenario.load.begin(scans(form.some))
            time.sleep(form.away_seconds)
        scenario.load.finish()
    scenario.conclude(seconds=240, commits_in_doubt=True, seconds_away=form.away_seconds)
    for refusal in (refusal for upload in scenario.load.uploads for refusal in upload.refusals):
        assert refusal.status == 503, refusal
        assert sentence_of(refusal), refusal


@contextlib.contextmanager
def locked(target):
    """Somebody else holds SQLite's lock: a copy in the making, a tool with an open transaction."""
    path = Path(target.app.environment["DATA_DIR"]) / "brainscan.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@contextlib.contextmanager
def killed(target):
    """The server is gone, and recovers when it is started again."""
    target.database.kill()
    try:
        yield
    finally:
        target.database.start()


@contextlib.contextmanager
def silent(target):
    """The server keeps its connections and does not respond."""
    target.database.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        target.database.signal(signal.SIGCONT)
