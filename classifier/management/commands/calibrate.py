"""`manage.py calibrate`: fit temperature, thresholds, refusal and saliency scale of a packaged model."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_data_option
from classifier.training.protocols import PROTOCOLS


class Command(BaseCommand):
    """Fit the calibration, the thresholds, and the scales between a network's output and what people read."""

    help = (
        "Fit a model's temperature, thresholds and limits on images that it was not trained on, and rewrite its card."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--model, --protocol, --data, --cache."""
        parser.add_argument("--model", default=settings.MODEL, help="folder under models/ (default: %(default)s)")
        parser.add_argument("--protocol", choices=PROTOCOLS, required=True, help="what the network was trained under")
        add_data_option(parser)
        parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the network's outputs here")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fit, rewrite the card, and print what was fitted and measured."""
        from classifier.inference.registry import ModelError
        from classifier.training.calibrate import calibrate
        from classifier.training.manifest import ManifestError
        from classifier.training.page import write_page
        from classifier.training.progress import ProgressLine

        folder = Path(settings.MODELS_DIR) / options["model"]
        command = f"manage.py calibrate --model {options['model']} --protocol {options['protocol']} --data DIR"
        try:
            record = calibrate(
                folder,
                data=options["data"],
                protocol=options["protocol"],
                command=command,
                engine=settings.ENGINE,
                exports=settings.EXPORTS_DIR,
                cache=options["cache"],
                progress=ProgressLine(sys.stderr, label="images"),
            )
        except (ManifestError, ModelError) as error:
            raise CommandError(str(error)) from error
        write_page(folder)
        self.stdout.write(json.dumps(record, indent=2, ensure_ascii=False))
