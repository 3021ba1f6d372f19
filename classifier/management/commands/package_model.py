"""`manage.py package_model`: make a model folder from a finished training run."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Package a run; calibrate and evaluate come next."""

    help = "Copy a run's weights into models/<name> and write its card. Then run calibrate and evaluate --record."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--run, --after, --name, --model-version, --size, --texts, --like."""
        parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="output folder of manage.py train")
        parser.add_argument(
            "--after", type=Path, action="append", default=[], metavar="DIR", help="earlier run, in order"
        )
        parser.add_argument("--name", required=True, help="folder under models/")
        parser.add_argument("--model-version", required=True, metavar="X.Y.Z")
        parser.add_argument("--size", type=int, help="side of the input; that of the run's last stage by default")
        parser.add_argument("--texts", type=Path, metavar="FILE", help="JSON with texts in place of those of --like")
        parser.add_argument("--like", default=settings.MODEL, help="model to copy the texts from")

    def handle(self, *args: Any, **options: Any) -> None:
        """Package and name the card."""
        from classifier.inference.registry import ModelError
        from classifier.training.package import package_run

        models = Path(settings.MODELS_DIR)
        try:
            path = package_run(
                options["run"],
                folder=models / options["name"],
                version=options["model_version"],
                earlier=options["after"],
                like=models / options["like"],
                size=options["size"],
                texts=options["texts"],
            )
        except (ModelError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {path}. Next: manage.py calibrate, then manage.py evaluate --record.")
