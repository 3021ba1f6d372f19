"""`manage.py export_model`: a model's weights as the graph that an engine runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Generate what an engine needs before the first start, as the build of the container image does."""

    help = "Convert a model's weights for an engine, unless that is already done, and print the path of the graph."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--model and --engine."""
        parser.add_argument("--model", default=settings.MODEL, help="folder under models/ (default: %(default)s)")
        parser.add_argument("--engine", default=settings.ENGINE, help="auto or an engine (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Convert and print the folder alone on its line."""
        from classifier.inference.engines import choose_engine, prepare_model
        from classifier.inference.registry import ModelError

        folder = Path(settings.MODELS_DIR) / options["model"]
        try:
            engine = choose_engine(options["engine"])
            path = prepare_model(folder, engine=engine, exports=settings.EXPORTS_DIR)
        except ModelError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(path) if path else f"The engine {engine} runs the weights themselves.")
