"""Install and remove the triggers."""

from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.models.derived import postgresql, sqlite
from classifier.models.derived.texts import FTS

TABLES = ("classifier_scan", "classifier_analysis", "classifier_review", "classifier_scancount", "classifier_scantext")


def install_derived_triggers(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers, in place of earlier ones, once all their tables exist."""
    if not set(TABLES) <= set(connection.introspection.table_names()):
        return
    with connection.cursor() as cursor:
        for statement in _of(connection).trigger_statements():
            cursor.execute(statement)
        if connection.vendor == "sqlite":
            # Emptying the tables without triggers leaves the index behind.
            cursor.execute("SELECT NOT EXISTS (SELECT 1 FROM classifier_scantext)")
            if cursor.fetchone()[0]:
                cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


def remove_derived_triggers(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers, to empty or fill the tables. `rebuild` brings what they keep in step again."""
    with connection.cursor() as cursor:
        for table, name in _of(connection).TRIGGERS:
            on = "" if connection.vendor == "sqlite" else f" ON {table}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _of(connection: BaseDatabaseWrapper) -> ModuleType:
    return sqlite if connection.vendor == "sqlite" else postgresql
