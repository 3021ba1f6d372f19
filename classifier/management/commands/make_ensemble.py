"""`manage.py make_ensemble`: a model folder of several models that answer together."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Name the members; calibrate and evaluate come next."""

    help = (
        "Make a model whose answer is the mean of others' calibrated logits. Then run calibrate and evaluate --record."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--name, --members, --model-version."""
        parser.add_argument("--name", required=True, help="folder under models/")
        parser.add_argument("--members", nargs="+", required=True, metavar="MODEL", help="folders under models/")
        parser.add_argument("--model-version", required=True, metavar="X.Y.Z")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the folder and name the card."""
        from classifier.inference.registry import ModelError
        from classifier.training.ensemble import make_ensemble

        try:
            path = make_ensemble(
                Path(settings.MODELS_DIR) / options["name"],
                members=options["members"],
                version=options["model_version"],
            )
        except (ModelError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {path}. Next: manage.py calibrate, then manage.py evaluate --record.")
