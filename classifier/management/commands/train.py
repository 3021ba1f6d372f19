"""`manage.py train`: train a network under a data protocol; called again, it resumes where it stopped."""

import logging
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_training_options, read_training_options, training_line
from classifier.training.manifest import FOLDS
from classifier.training.protocols import PROTOCOLS


class Command(BaseCommand):
    """Train, with checkpoints every few minutes."""

    help = "Train a network. Run the same command again to resume after an interruption."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for data, start, hyper-parameters and output."""
        add = parser.add_argument
        add("--protocol", default="patient", choices=PROTOCOLS)
        add("--fold", type=int, default=0, choices=range(FOLDS), help="test fold of the protocol patient")
        add("--no-validation", action="store_true", help="train on the validation part too, and select nothing by it")
        add_training_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Train to the end and say where the weights are."""
        from classifier.training.manifest import ManifestError
        from classifier.training.plots import plot_curve
        from classifier.training.run import train

        logging.getLogger("classifier.training").setLevel(logging.INFO)
        config, run = read_training_options(options)
        run = replace(
            run, protocol=options["protocol"], test_fold=options["fold"], validate=not options["no_validation"]
        )
        try:
            record = train(run, config=config, progress=training_line())
        except (ManifestError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        plot_curve(options["output"] / "curve.png", curve=record["curve"])
        self.stdout.write(f"Trained {record['steps']} steps: {options['output'] / 'final.weights.h5'}")
