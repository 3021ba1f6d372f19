"""`manage.py fit_inspection`: train a network of the input check."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_data_option


class Command(BaseCommand):
    """Train on the training images of the protocol `patient`; write `classifier/inspection/networks.npz`."""

    help = "Train a network of the input check. The file keeps the other one."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("network", choices=("turn", "mark"), help="turned heads, or text and markings")
        add_data_option(parser)
        parser.add_argument("--fonts", type=Path, nargs="+", default=(), metavar="FILE", help="fonts of the text")
        parser.add_argument("--steps", type=int, default=9000, help="number of steps")
        parser.add_argument("--output", type=Path, metavar="FILE", help="default: the file that the product reads")

    def handle(self, *args: Any, **options: Any) -> None:
        """Train and write."""
        import numpy as np

        from classifier.inspection.checks import NETWORKS, TURN_SIDE
        from classifier.training.hospitals import read_data
        from classifier.training.images import read_source
        from classifier.training.inspection_marks import fit_mark_network
        from classifier.training.inspection_turns import UPSIDE_DOWN_SOURCES, fit_turn_network
        from classifier.training.manifest import ManifestError
        from classifier.training.protocols import make_split

        network = options["network"]
        if network == "mark" and not options["fonts"]:
            raise CommandError("Name the font files to write with: --fonts.")
        try:
            rows = make_split(read_data(options["data"]), protocol="patient").train
        except ManifestError as error:
            raise CommandError(str(error)) from error
        left_out = UPSIDE_DOWN_SOURCES if network == "turn" else ()
        images = [read_source(row.path, mirrored=row.mirrored) for row in rows if row.source not in left_out]
        log = self.stderr.write
        if network == "turn":
            arrays: dict[str, Any] = dict(fit_turn_network(images, side=TURN_SIDE, steps=options["steps"], log=log))
        else:
            arrays = dict(fit_mark_network(images, fonts=tuple(options["fonts"]), steps=options["steps"], log=log))
        output = options["output"] or NETWORKS
        with np.load(NETWORKS) as file:
            arrays |= {name: file[name] for name in file.files if not name.startswith(f"{network}.")}
        np.savez_compressed(output, **arrays)
