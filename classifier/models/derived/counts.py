"""Counts of scans: the rows that `classifier_scancount` should have."""

from django.db.backends.base.base import BaseDatabaseWrapper

COUNT_COLUMNS = "classifier_scancount (owner_number, team_number, month, facet, number)"


def month_of(column: str, vendor: str) -> str:
    """Return the expression of the month, in UTC, of a time."""
    return f"substr({column}, 1, 7)" if vendor == "sqlite" else f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM')"


def rebuild_counts(connection: BaseDatabaseWrapper) -> None:
    """Count every scan again, from its facet."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM classifier_scancount")
        cursor.execute(f"INSERT INTO {COUNT_COLUMNS} {counted(connection)}")


def counted(connection: BaseDatabaseWrapper) -> str:
    """Return the query of what `classifier_scancount` should say."""
    month = month_of("created_at", connection.vendor)
    return (
        f"SELECT owner_id, coalesce(team_id, 0), {month}, facet, count(*) FROM classifier_scan GROUP BY 1, 2, 3, 4 "
        f"UNION ALL SELECT 0, team_id, {month}, facet, count(*) FROM classifier_scan "
        "WHERE team_id IS NOT NULL GROUP BY 1, 2, 3, 4"
    )
