"""`manage.py import_images`: make a manifest from the public folder layout."""

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Group near-duplicates, including mirror images, and assign the groups to folds."""

    help = "Write manifest.csv into a folder that holds Training/<class> and Testing/<class>."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --data and --pairs."""
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="holds Training and Testing")
        parser.add_argument("--pairs", type=Path, metavar="FILE", help="draw the pairs nearest to the threshold (PNG)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the manifest and say where it is."""
        from classifier.training.importer import import_folder
        from classifier.training.manifest import ManifestError

        logging.getLogger("classifier.training").setLevel(logging.INFO)
        try:
            path = import_folder(options["data"], pairs=options["pairs"])
        except (ManifestError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {path}")
