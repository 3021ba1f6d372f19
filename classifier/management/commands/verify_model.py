"""`manage.py verify_model`: the release gate, which checks that a card says what its weights do."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Check files, figures and predictions of a model; the exit code is 1 if one does not hold."""

    help = "Check that a model's card states what the shipped program does with its weights."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--model, --data, --limit."""
        parser.add_argument("--model", default=settings.MODEL, help="folder under models/ (default: %(default)s)")
        parser.add_argument(
            "--data", type=Path, nargs="*", default=[], metavar="DIR", help="data folders to take more images from"
        )
        parser.add_argument("--limit", type=int, default=64, metavar="N", help="at most N of those images")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check and print one line for each check."""
        from classifier.inference.registry import ModelError
        from classifier.services.sample import SAMPLES_DIR
        from classifier.training.verify import verify_model

        try:
            passed = verify_model(
                Path(settings.MODELS_DIR) / options["model"],
                samples=SAMPLES_DIR,
                data=options["data"],
                limit=options["limit"],
                engine=settings.ENGINE,
                exports=settings.EXPORTS_DIR,
            )
        except (ModelError, OSError) as error:
            raise CommandError(str(error)) from error
        for line in passed:
            self.stdout.write(line)
