"""Maintenance of what lists and counts of scans are read from. Triggers write it (`classifier.models.derived`)."""

from dataclasses import dataclass

import structlog
from django.db import connection, transaction

from classifier.models import ScanCount
from classifier.models.append_only import install_triggers, remove_triggers
from classifier.models.derived.counts import counted, rebuild_counts
from classifier.models.derived.facets import rebuild_facets, wrong_facets
from classifier.models.derived.texts import rebuild_texts, wrong_texts

logger = structlog.get_logger(__name__)

MERGE_FROM = 5_000
"""Rows that are not merged yet cost a page little; below this number merging would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class Check:
    """Differences between the scans and what is derived from them.

    Attributes:
        facets: scans with a wrong facet.
        counts: counts that differ from the number of scans.
        texts: scans whose searchable text is missing or differs, and texts without a scan.
    """

    facets: int
    counts: int
    texts: int

    @property
    def is_clean(self) -> bool:
        """Whether there are none."""
        return not (self.facets or self.counts or self.texts)


def merge_counts(*, at_least: int = MERGE_FROM) -> int:
    """Merge the rows of each count into one; return the number of rows removed.

    Args:
        at_least: smallest number of rows that were added since the last time; with fewer, nothing is done.
    """
    added = ScanCount.objects.filter(merged=False)[:at_least].count()
    if added < at_least or not added:
        return 0
    before = ScanCount.objects.count()
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"CREATE TEMP TABLE merged_counts AS {_sums('classifier_scancount')}")
            cursor.execute("DELETE FROM classifier_scancount")
            cursor.execute(f"INSERT INTO classifier_scancount ({_COLUMNS}) SELECT {_COLUMNS} FROM merged_counts")
            cursor.execute("DROP TABLE merged_counts")
        else:
            # Rows that are added meanwhile are not seen, and stay.
            cursor.execute(
                f"WITH removed AS (DELETE FROM classifier_scancount RETURNING {_COLUMNS}) "
                f"INSERT INTO classifier_scancount ({_COLUMNS}) {_sums('removed')}"
            )
    removed = before - ScanCount.objects.count()
    logger.info("counts_merged", removed=removed)
    return removed


def check_counts() -> Check:
    """Compare what is derived with the scans, and read every row for it."""
    stored = "SELECT owner_number, team_number, month, facet, number FROM classifier_scancount"
    wanted = counted(connection).replace("count(*)", "-count(*)")
    differences = (
        f"SELECT count(*) FROM (SELECT owner_number FROM ({stored} UNION ALL {wanted}) every_row "
        "GROUP BY owner_number, team_number, month, facet HAVING sum(number) <> 0) wrong"
    )
    with transaction.atomic():
        return Check(facets=_one(wrong_facets()), counts=_one(differences), texts=_one(wrong_texts(connection.vendor)))


def repair_counts() -> None:
    """Derive everything again, in one transaction: uploads wait meanwhile."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE classifier_scan, classifier_scancount, classifier_scantext")
        remove_triggers(connection)
        rebuild_facets(connection)
        rebuild_counts(connection)
        rebuild_texts(connection)
        install_triggers(connection)


_KEYS = "owner_number, team_number, month, facet"
_COLUMNS = f"{_KEYS}, number, merged"


def _sums(table: str) -> str:
    number = "sum(number) AS number" if connection.vendor == "sqlite" else "sum(number)"
    return f"SELECT {_KEYS}, {number}, TRUE AS merged FROM {table} GROUP BY {_KEYS} HAVING sum(number) <> 0"


def _one(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
