"""Store many rows fast: prepared statements on SQLite, COPY on PostgreSQL."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import connection, models


def store(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Store rows of a table. Defaults of the model and signals are not applied.

    Args:
        model: the model of the table.
        names: the fields, in the order of each row's values. A foreign key takes the other row's key.
        rows: the values; lists and dictionaries go into JSON columns.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    fields = [cast(models.Field[Any, Any], model._meta.get_field(name)) for name in names]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([_json(value) for value in row])
        return
    marks = ", ".join("?" for _ in names)
    statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names of ours
    connection.ensure_connection()
    # The driver's own cursor: Django's rewrites the statement for each row.
    connection.connection.cursor().executemany(statement, ([_sqlite(value) for value in row] for row in rows))


def _json(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return _json(value)
