"""`manage.py models`: the registry as a table."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.inference.registry import ModelError, list_models

HEADER = ("name", "version", "network", "trained under", "files", "default")


class Command(BaseCommand):
    """List the models of this installation and check their files."""

    help = "List the models under MODELS_DIR and check their files against their cards."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one row per model. The exit code is 1 if a model's files are not those of its card."""
        try:
            cards = list_models(Path(settings.MODELS_DIR))
        except ModelError as error:
            raise CommandError(str(error)) from error
        rows, complaints = [HEADER], []
        for card in cards:
            try:
                card.verify()
                files = "verified"
            except ModelError as error:
                files = "damaged"
                complaints.append(str(error))
            protocol = str(card.details.get("training", {}).get("protocol", ""))
            chosen = "yes" if card.name == settings.MODEL else ""
            rows.append((card.name, card.version, card.network, protocol, files, chosen))
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        for row in rows:
            self.stdout.write("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
        if complaints:
            raise CommandError(" ".join(complaints))
