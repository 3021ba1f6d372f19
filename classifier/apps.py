"""The Django application."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate


class ClassifierConfig(AppConfig):
    """Scans, analyses and the people who use them."""

    name = "classifier"
    verbose_name = "BrainScan"

    def ready(self) -> None:
        """Keep the database triggers in place across migrations."""
        pre_migrate.connect(_remove_triggers, sender=self)
        post_migrate.connect(_install_triggers, sender=self)
        connection_created.connect(_configure_connection)


def _configure_connection(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    # The estimated cost of a text search is high although it reads few rows: to compile its plan, or to start processes
    # that read in parallel, takes far longer than to run it. Statements, because connection poolers refuse such options
    # at the start of a connection. Rows are read by indexes from memory or from a solid-state disk: with the default,
    # which is that of a rotating disk, PostgreSQL would rather read many times as many rows in their stored order.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off; SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1")


def _remove_triggers(*, using: str, plan: list[Any], **kwargs: Any) -> None:
    # SQLite refuses to rename a table that is rebuilt while a trigger of another table names it.
    from classifier.models.append_only import remove_triggers

    if plan:
        remove_triggers(connections[using])


def _install_triggers(*, using: str, **kwargs: Any) -> None:
    # Models cannot be imported before the applications are ready.
    from classifier.models.append_only import install_triggers

    install_triggers(connections[using])
