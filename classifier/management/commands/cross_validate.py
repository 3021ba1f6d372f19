"""`manage.py cross_validate`: train and test a configuration on each of the five patient folds."""

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_training_options, read_training_options, training_line


class Command(BaseCommand):
    """Train five networks, each tested on the fold that it has not seen."""

    help = "Cross-validate by patient. Run the same command again to resume after an interruption."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options of `train` for data, start, hyper-parameters and output."""
        add_training_options(parser)
        parser.add_argument(
            "--only", type=int, choices=range(5), action="append", metavar="FOLD", help="only this fold"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Train, test and print a line for each fold, and one for all images together."""
        from classifier.inference.registry import ModelError
        from classifier.training.cross_validation import PAGE_NAME, RESULT_NAME, cross_validate
        from classifier.training.manifest import FOLDS, ManifestError

        logging.getLogger("classifier.training").setLevel(logging.INFO)
        config, run = read_training_options(options)
        try:
            content = cross_validate(
                run,
                config=config,
                folds=options["only"] or range(FOLDS),
                like=Path(settings.MODELS_DIR) / settings.MODEL,
                engine=settings.ENGINE,
                exports=None,
                progress=training_line(),
                tell=self.stdout.write,
            )
        except (ManifestError, ModelError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"All folds: {content['together']}")
        self.stdout.write(f"Written: {options['output'] / RESULT_NAME}, {options['output'] / PAGE_NAME}")
