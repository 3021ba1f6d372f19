"""`manage.py leak_table`: how much each data protocol leaks, and what a pixel look-up scores on it."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Print the leak table."""

    help = (
        "Show how many test images have a copy or their patient in training, and the pixel nearest-neighbor accuracy."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --data and --json."""
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count and print."""
        from classifier.training.leaks import leak_table
        from classifier.training.manifest import ManifestError

        try:
            table = leak_table(options["data"])
        except ManifestError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(table, indent=2))
            return
        self.stdout.write(
            f"{'protocol':10} {'train':>6} {'test':>6} {'with twin':>10} {'known group':>12} {'pixels':>8}"
        )
        for row in table:
            self.stdout.write(
                f"{row['protocol']:10} {row['train']:6} {row['test']:6} {row['test_with_twin']:10} "
                f"{row['test_of_known_group']:12} {100 * row['neighbour_accuracy']:7.2f}%"
            )
