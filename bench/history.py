"""Every page and API page of a large installation: how long it takes, and how many queries.

`python -m bench.history [--quick] [--servers] [--scans N] [--data DIR]` seeds an installation (`manage.py seed`), or
takes the one that `--data` holds, and asks for its pages as several people would: the first page and deep ones, with
one filter and with many at once. Requests go through the whole application within this process, one at a time, after
it has prepared for them as a web process does (`brainscan.warm_up`). Between them runs the smallest request there is,
so that a busy machine shows. Then files are uploaded and claimed from the queue, there and in an empty installation by
turns. `--servers` does it on PostgreSQL.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figures import milliseconds
from bench.history_requests import PEOPLE, requests_of
from bench.history_statements import Statements
from bench.history_writes import WRITES, measured_writes
from bench.installation import conditions
from bench.machine import RESULTS, write_result
from devtools.servers import own_postgres_server

if TYPE_CHECKING:
    from django.test import Client

PACKAGES = ("django", "psycopg")
SCANS, QUICK_SCANS = 1_000_000, 20_000
REQUESTS, QUICK_REQUESTS = 200, 10
LIMIT_MILLISECONDS = 50.0
REFERENCE = "/health/live"
# Of each kind; their plans are written down.
SLOWEST = 2
MAX_STATEMENT = 1500


@dataclass(slots=True)
class Kind:
    """What was measured of one kind of request.

    Attributes:
        seconds: the wall-clock time of each request.
        processor_seconds: the processor time of each, without that of a database server.
        database_seconds: the time of the statements of each.
        queries: the number of statements of each.
        slowest: seconds, path, statement, and parameters of the slowest statements.
    """

    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    database_seconds: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    slowest: list[tuple[float, str, str, Any]] = field(default_factory=list)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--servers", action="store_true", help="on PostgreSQL; DATABASE_URL names one that is there")
    parser.add_argument("--scans", type=int, default=0, help="number of scans to seed")
    parser.add_argument("--requests", type=int, default=0, help="requests of each kind")
    parser.add_argument("--data", default="", help="folder of an installation to use, or to make and keep")
    parser.add_argument("--name", default="history", help="name of the results file")
    options = parser.parse_args()
    scans = options.scans or (QUICK_SCANS if options.quick else SCANS)
    requests = options.requests or (QUICK_REQUESTS if options.quick else REQUESTS)
    with ExitStack() as stack:
        folder = options.data or stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).mkdir(parents=True, exist_ok=True)
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "brainscan.settings", "HTTPS": "0"}
        os.environ["LOG_LEVEL"] = "CRITICAL"
        if options.servers:
            os.environ.setdefault("SECRET_KEY", "only-for-measurements-" + "0" * 40)
            if "DATABASE_URL" not in os.environ:
                server = stack.enter_context(
                    own_postgres_server(Path(stack.enter_context(tempfile.TemporaryDirectory())))
                )
                os.environ["DATABASE_URL"] = server.url
        content: dict[str, Any] = conditions() | measured(scans=scans, requests=requests)
        content["writes"] = measured_writes(quick=options.quick)
    folder_of_results = RESULTS / "quick" if options.quick else RESULTS
    name = f"{options.name}-servers" if options.servers else options.name
    write_result(folder_of_results / f"{name}.json", content=content, packages=PACKAGES)
    for kind, row in content["kinds"].items():
        processor = row["processor"]
        print(
            f"{kind:34} {row['p50']:7.1f} {row['p95']:7.1f} {row['max']:7.1f} {processor['p95']:7.1f} {row['queries']}"
        )
    for name in WRITES:
        print(name, content["writes"][name])
    print("reference", content["reference_milliseconds"], content["reference_processor_milliseconds"])


def measured(*, scans: int, requests: int) -> dict[str, Any]:
    """Return the figures of an installation with so many scans, seeded if it is empty."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from classifier.models import Scan

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    seconds = 0.0
    if not Scan.objects.exists():
        begin = time.monotonic()
        call_command("seed", scans=scans)
        seconds = round(time.monotonic() - begin, 1)
    kinds, reference = _measure(requests)
    return {
        "kind": "embedded" if connection.vendor == "sqlite" else "servers",
        "scans": Scan.objects.count(),
        "seeded_in_seconds": seconds,
        "limit_milliseconds": LIMIT_MILLISECONDS,
        "reference": REFERENCE,
        "reference_milliseconds": milliseconds(reference.seconds),
        "reference_processor_milliseconds": milliseconds(reference.processor_seconds),
        "kinds": {name: _row(kind) for name, kind in kinds.items()},
        "all": milliseconds([value for kind in kinds.values() for value in kind.seconds]),
        "all_processor": milliseconds([value for kind in kinds.values() for value in kind.processor_seconds]),
        "plans": _plans(kinds),
    }


def _measure(number: int) -> tuple[dict[str, Kind], Kind]:
    from django.db import connection

    from brainscan.warm_up import warm_up

    clients = dict(_clients())
    warm_up()
    rng = random.Random(7)
    kinds: dict[str, Kind] = {}
    reference = Kind()
    requests = [request for person in clients for request in requests_of(person, number=number, rng=rng)]
    rng.shuffle(requests)
    warm: set[tuple[str, str]] = set()
    for person, name, path in requests:
        client, kind = clients[person], kinds.setdefault(name, Kind())
        if (person, name) not in warm:
            warm.add((person, name))
            client.get(path)
        _take(client, REFERENCE, reference)
        statements = Statements()
        with connection.execute_wrapper(statements):
            _take(client, path, kind)
        kind.queries.append(len(statements.found))
        kind.database_seconds.append(sum(took for took, _, _ in statements.found))
        if statements.found:
            took, sql, params = max(statements.found, key=lambda found: found[0])
            kind.slowest = sorted([*kind.slowest, (took, path, sql, params)], key=lambda row: -row[0])[:SLOWEST]
    return kinds, reference


def _take(client: "Client", path: str, kind: Kind) -> None:
    begin, processor = time.perf_counter(), time.process_time()
    response = client.get(path)
    kind.seconds.append(time.perf_counter() - begin)
    kind.processor_seconds.append(time.process_time() - processor)
    if response.status_code not in (200, 302):
        raise AssertionError(f"{path} gave {response.status_code}")


def _clients() -> Iterator[tuple[str, "Client"]]:
    from django.test import Client

    from classifier.models import User

    for name, username in PEOPLE.items():
        user = User.objects.filter(username=username).first()
        if user is None and name == "administrator":
            user = User.objects.create_superuser(username, f"{username}@seed.invalid", None)
        if user is not None:
            client = Client(SERVER_NAME="localhost")
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            yield name, client


def _row(kind: Kind) -> dict[str, Any]:
    return {
        **milliseconds(kind.seconds),
        "processor": milliseconds(kind.processor_seconds),
        "database": milliseconds(kind.database_seconds),
        "queries": [min(kind.queries), max(kind.queries)],
        "slowest": [path for _, path, _, _ in kind.slowest],
    }


def _plans(kinds: dict[str, Kind]) -> list[dict[str, Any]]:
    """Return the plans of the slowest statements of all kinds."""
    from django.db import connection

    prefix = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) "
    found = sorted((row for kind in kinds.values() for row in kind.slowest), key=lambda row: -row[0])
    plans = []
    for took, path, sql, params in found[: 3 * SLOWEST]:
        if not sql.lstrip("( ").upper().startswith(("SELECT", "WITH")):
            continue
        with connection.cursor() as cursor:
            cursor.execute(prefix + sql, params)
            lines = [str(row[-1]) for row in cursor.fetchall()]
        plans.append(
            {
                "milliseconds": round(took * 1000, 1),
                "path": path,
                "statement": sql[:MAX_STATEMENT],
                "plan": list(dict.fromkeys(lines))[:40],
            }
        )
    return plans


if __name__ == "__main__":
    main()
