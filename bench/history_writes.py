"""Uploads and queue claims in an installation with a full table, beside those in an empty one.

`bench.history` starts this module once for each round and installation, because settings name one database. Uploads
go through the product's own service, without HTTP, and are deleted afterwards. Prints the figures as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import django

from bench.figures import milliseconds
from bench.history_statements import Statements
from devtools.running import ROOT

WARM = 3
WRITES = ("upload", "claim")
CLAIMED_AT_ONCE = 4
UPLOADS, QUICK_UPLOADS = 12, 8
ROUNDS, QUICK_ROUNDS = 4, 1
EMPTY = "empty_installation"


def measured_writes(*, quick: bool) -> dict[str, Any]:
    """Return the figures of uploads and claims in this process's installation, the full one, and in an empty one."""
    uploads, rounds = (QUICK_UPLOADS, QUICK_ROUNDS) if quick else (UPLOADS, ROUNDS)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as folder, _empty_database() as url:
        environments = {"empty": {"DATA_DIR": folder} | ({"DATABASE_URL": url} if url else {}), "full": {}}
        for number in range(rounds):
            for table, changed in environments.items():
                command = [sys.executable, "-m", "bench.history_writes", str(uploads), str(number * (uploads + WARM))]
                done = subprocess.run(command, cwd=ROOT, env=os.environ | changed, check=True, stdout=subprocess.PIPE)
                for name, rows in json.loads(done.stdout.splitlines()[-1]).items():
                    found.setdefault(name, {}).setdefault(table, []).extend(rows)
    figures: dict[str, Any] = {name: {key: _row(rows) for key, rows in by.items()} for name, by in found.items()}
    return figures | {"claimed_at_once": CLAIMED_AT_ONCE}


def _row(rows: list[dict[str, float]]) -> dict[str, Any]:
    return {
        **milliseconds([row["seconds"] for row in rows]),
        "processor": milliseconds([row["processor"] for row in rows]),
        "database": milliseconds([row["database"] for row in rows]),
        "statements": statistics.median(row["statements"] for row in rows),
        "transactions": statistics.median(row["transactions"] for row in rows),
    }


@contextmanager
def _empty_database() -> Iterator[str]:
    """Yield the URL of an empty database on the same server; "" on SQLite."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        yield ""
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {EMPTY}")
        server.execute(f"CREATE DATABASE {EMPTY}")
        try:
            yield urlsplit(url)._replace(path=f"/{EMPTY}").geturl()
        finally:
            server.execute(f"DROP DATABASE {EMPTY} WITH (FORCE)")


def main() -> None:
    """Upload as many files as the first argument says, claim them, and print what each took."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brainscan.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(json.dumps(_measured(int(sys.argv[1]), offset=int(sys.argv[2]))))


def _measured(number: int, *, offset: int) -> dict[str, Any]:
    from bench.history_requests import PEOPLE
    from bench.images import DISTINCT, distinct_jpeg
    from classifier.models import Scan, Team, User
    from classifier.queue.claim import claim_analyses
    from classifier.services import scan as services

    # No broker runs. A message costs the same with an empty and with a full table.
    services.notify_workers = lambda *args, **kwargs: True  # type: ignore[assignment, attr-defined]
    owner, _ = User.objects.get_or_create(username=PEOPLE["member"], email=f"{PEOPLE['member']}@seed.invalid")
    membership = owner.memberships.select_related("team").order_by("pk").first()
    team: Team = membership.team if membership else _team(owner)
    files = [distinct_jpeg(DISTINCT - 1 - offset - index) for index in range(number + WARM)]
    scans: list[Scan] = []

    def submit() -> None:
        submitted = services.submit_scan(
            owner=owner, file=files[len(scans)], team=team, patient_reference="P-bench", notes="a measurement"
        )
        scans.append(submitted.scan)

    try:
        for _ in range(WARM):
            submit()
        uploads = [_timed(submit) for _ in range(number)]
        claims = [_timed(lambda: claim_analyses(limit=CLAIMED_AT_ONCE)) for _ in range(len(scans) // CLAIMED_AT_ONCE)]
    finally:
        for scan in scans:
            services.delete_scan(scan, by=owner)
    return {"upload": uploads, "claim": claims}


def _team(owner: Any) -> Any:
    from classifier.services.team import create_team

    return create_team(owner, name="Measurements")


def _timed(action: Any) -> dict[str, float]:
    """Return seconds, processor seconds, and what the database did: seconds, statements, and transactions."""
    from django.db import connection

    statements = Statements()
    begin, processor = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(statements), statements.counting_commits(connection):
        action()
    return {
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - processor,
        "database": sum(took for took, _, _ in statements.found) + statements.commit_seconds,
        "statements": len(statements.found),
        "transactions": statements.transactions,
    }


if __name__ == "__main__":
    main()
