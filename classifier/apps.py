"""The Django application."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ClassifierConfig(AppConfig):
    """Scans, analyses and the people who use them."""

    name = "classifier"
    verbose_name = "BrainScan"

    def ready(self) -> None:
        """Keep the database triggers in place across migrations."""
        post_migrate.connect(_install_triggers, sender=self)


def _install_triggers(*, using: str, **kwargs: Any) -> None:
    # Models cannot be imported before the applications are ready.
    from classifier.models.append_only import install_triggers

    install_triggers(connections[using])
