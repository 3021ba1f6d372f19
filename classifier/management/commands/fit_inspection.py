"""`manage.py fit_inspection`: train the network of the input check."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_data_option


class Command(BaseCommand):
    """Train on the training images of the protocol `patient`; write `classifier/inspection/networks.npz`."""

    help = "Train the network of the input check."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add_data_option(parser)
        parser.add_argument("--steps", type=int, default=9000, help="number of steps")
        parser.add_argument("--output", type=Path, metavar="FILE", help="default: the file that the product reads")

    def handle(self, *args: Any, **options: Any) -> None:
        """Train and write."""
        import numpy as np

        from classifier.inspection.checks import NETWORKS, TURN_SIDE
        from classifier.training.hospitals import read_data
        from classifier.training.images import read_source
        from classifier.training.inspection_turns import UPSIDE_DOWN_SOURCES, fit_turn_network
        from classifier.training.manifest import ManifestError
        from classifier.training.protocols import make_split

        try:
            rows = make_split(read_data(options["data"]), protocol="patient").train
        except ManifestError as error:
            raise CommandError(str(error)) from error
        upright = [row for row in rows if row.source not in UPSIDE_DOWN_SOURCES]
        images = [read_source(row.path, mirrored=row.mirrored) for row in upright]
        arrays: dict[str, Any] = dict(
            fit_turn_network(images, side=TURN_SIDE, steps=options["steps"], log=self.stderr.write)
        )
        np.savez_compressed(options["output"] or NETWORKS, **arrays)
