"""Pieces of SQL that both databases understand."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection


class Values:
    """The parameters of a statement, in the order of their marks."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def add(self, value: Any) -> str:
        """Take a value and return its mark."""
        if isinstance(value, datetime):
            value = connection.ops.adapt_datetimefield_value(value)
        elif isinstance(value, UUID):
            value = value.hex if connection.vendor == "sqlite" else value
        self.found.append(value)
        return "%s"

    def all(self, values: list[Any]) -> str:
        """Take values and return their marks, separated by commas."""
        return ", ".join(self.add(value) for value in values)


def fetch(sql: str, values: Values) -> list[tuple[Any, ...]]:
    """Return the rows of a statement as the database has them."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values.found)
        return list(cursor.fetchall())


def moment(stored: datetime | str) -> datetime:
    """Return a time as it is read from the database: SQLite has it in UTC without saying so, sometimes as text."""
    at = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def contains(column: str, word: str, values: Values) -> str:
    """Return the condition that a column contains a word, in upper or lower case."""
    if connection.vendor == "sqlite" and not word.isascii():
        # SQLite's LIKE tells upper from lower case in other letters.
        return f"{column} REGEXP {values.add(f'(?i){re.escape(word)}')}"
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    operator = "LIKE" if connection.vendor == "sqlite" else "ILIKE"
    return f"{column} {operator} {values.add(f'%{escaped}%')} ESCAPE '\\'"
