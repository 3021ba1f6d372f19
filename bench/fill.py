"""Fills the queue of an installation through the product's own services, without HTTP.

A process of its own, because it runs with the installation's settings:

- `python -m bench.fill scans N` submits N distinct images of a few owners;
- `python -m bench.fill again N` asks for another analysis of N stored scans;
- `python -m bench.fill singles N` does so for N scans, one at a time, with a pause after each;
- `python -m bench.fill keep N` keeps some analyses waiting until N have ended, all of the database's counted.
"""

import os
import sys
import time

import django

OWNERS = 4
# Enough that every batch is full, few enough that the queue does not grow.
WAITING = 24
PAUSE_SECONDS = 0.25


def submit(count: int) -> None:
    """Submit distinct images."""
    from bench.images import DISTINCT, distinct_jpeg
    from classifier.models import Scan, User
    from classifier.services.scan import submit_scan

    names = [f"bench-{number}" for number in range(OWNERS)]
    owners = [User.objects.get_or_create(username=name, email=f"{name}@bench.invalid")[0] for name in names]
    begin = Scan.objects.count()
    for number in range(begin, begin + count):
        submit_scan(owner=owners[number % OWNERS], file=distinct_jpeg(DISTINCT - 1 - number))


def ask_again(count: int) -> None:
    """Ask for another analysis of stored scans that have none waiting."""
    from classifier.models import Analysis, Scan
    from classifier.services.analysis import request_analysis

    idle = Scan.objects.exclude(analyses__state__in=Analysis.ACTIVE).select_related("owner")
    for scan in idle.order_by("current_analysis__queued_at")[:count]:
        request_analysis(scan, by=scan.owner)


def ask_singly(count: int) -> None:
    """Ask for another analysis of stored scans, one at a time."""
    for _ in range(count):
        ask_again(1)
        time.sleep(PAUSE_SECONDS)


def keep_waiting(until: int) -> None:
    """Keep `WAITING` analyses in the queue until `until` have ended or wait."""
    from classifier.models import Analysis

    while (known := Analysis.objects.count()) < until:
        waiting = Analysis.objects.filter(state__in=Analysis.ACTIVE).count()
        ask_again(min(WAITING - waiting, until - known) if waiting < WAITING else 0)
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    """Do what the first argument names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brainscan.settings")
    django.setup()
    {"scans": submit, "again": ask_again, "singles": ask_singly, "keep": keep_waiting}[sys.argv[1]](int(sys.argv[2]))


if __name__ == "__main__":
    main()
