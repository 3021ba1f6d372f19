"""Append-only tables: rows that are never changed, and deleted only together with their scan.

Database triggers hold the rule, so that neither a mistake in the code nor a manual statement breaks it.
"""

from typing import Any, ClassVar, NoReturn, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.models.derived.triggers import install_derived_triggers, remove_derived_triggers

Row = TypeVar("Row", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[Row]):
    """Rows that are never changed."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise TypeError(f"{self.model._meta.verbose_name_plural} are append-only.")


class AppendOnlyModel(models.Model):
    """A row that is stored once and never changed.

    Attributes:
        DELETED_WITH_SCAN: whether the row may be deleted once its scan is gone. Other rows stay permanently.
    """

    DELETED_WITH_SCAN: ClassVar[bool] = True

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new row. Raise TypeError for one that is already stored."""
        if not self._state.adding:
            raise TypeError(f"{self._meta.verbose_name_plural} are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. `classifier.services.scan.delete_scan` deletes the rows of a scan."""
        raise TypeError(f"{self._meta.verbose_name_plural} are append-only.")


def install_triggers(connection: BaseDatabaseWrapper) -> None:
    """Create every trigger, in place of earlier ones: those of the append-only tables, and those of `models.derived`.

    Called after each `migrate`: Django rebuilds SQLite tables on some changes, and SQLite drops their triggers then.
    """
    install_derived_triggers(connection)
    tables = set(connection.introspection.table_names())
    statements = _sqlite if connection.vendor == "sqlite" else _postgresql
    with connection.cursor() as cursor:
        for model in append_only_models():
            if model._meta.db_table in tables:
                for statement in statements(model):
                    cursor.execute(statement)


def remove_triggers(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers, to empty the tables. `install_triggers` creates them again."""
    remove_derived_triggers(connection)
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for model in append_only_models():
            table = model._meta.db_table
            for name in _NAMES if table in tables else ():
                on = "" if connection.vendor == "sqlite" else f" ON {table}"
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{name}{on}")


def append_only_models() -> list[type[AppendOnlyModel]]:
    """Return every append-only model."""
    return sorted(AppendOnlyModel.__subclasses__(), key=lambda model: model._meta.db_table)


_NAMES = ("no_update", "no_delete", "no_replace")


def _condition(model: type[AppendOnlyModel]) -> str:
    """Return the SQL condition under which a deletion is refused."""
    return "EXISTS (SELECT 1 FROM classifier_scan WHERE id = OLD.scan_id)" if model.DELETED_WITH_SCAN else "TRUE"


def _sqlite(model: type[AppendOnlyModel]) -> list[str]:
    table = model._meta.db_table
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    events = {
        "no_update": f"BEFORE UPDATE ON {table}",
        "no_delete": f"BEFORE DELETE ON {table} WHEN {_condition(model)}",
        # INSERT OR REPLACE would delete a row without the DELETE trigger.
        "no_replace": f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)",  # noqa: S608 - a name of ours
    }
    return [
        statement
        for name in _NAMES
        for statement in (
            f"DROP TRIGGER IF EXISTS {table}_{name}",
            f"CREATE TRIGGER {table}_{name} {events[name]} {refuse}",
        )
    ]


def _postgresql(model: type[AppendOnlyModel]) -> list[str]:
    table = model._meta.db_table
    function = f"{table}_append_only"
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' THEN IF NOT ({_condition(model)}) THEN RETURN OLD; END IF; END IF; "
        f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        *(
            statement
            for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE"))
            for statement in (
                f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}",
                f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
            )
        ),
    ]
