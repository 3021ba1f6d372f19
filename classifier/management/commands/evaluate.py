"""`manage.py evaluate`: measure a packaged model under a data protocol."""

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
    """Measure accuracy, calibration, abstention, refusal, saliency, and what simple look-ups reach beside it."""

    help = "Evaluate a model under a data protocol. With --record the figures go into the model's folder."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--model, --protocol, --data, --json, --record, --record-beside, --replace, --pairs, --cache."""
        parser.add_argument("--model", default=settings.MODEL, help="folder under models/ (default: %(default)s)")
        parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
        add_data_option(parser)
        parser.add_argument("--json", action="store_true", help="print all figures as JSON")
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--record", action="store_true", help="write figures, plots, card and page of the model")
        target.add_argument(
            "--record-beside",
            metavar="NAME",
            help="write figures and predictions into another model's folder, as those of a run that is not shipped",
        )
        parser.add_argument(
            "--replace", action="store_true", help="overwrite the recorded figures of another run that is not shipped"
        )
        parser.add_argument("--pairs", type=Path, metavar="FILE", help="draw slices with and without their tumor (PNG)")
        parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the network's outputs here")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print."""
        from classifier.inference.registry import ModelError, load_card
        from classifier.services.sample import SAMPLES_DIR
        from classifier.training.evaluate import evaluate
        from classifier.training.manifest import ManifestError
        from classifier.training.page import evaluation_section
        from classifier.training.plots import plot_pairs
        from classifier.training.progress import ProgressLine
        from classifier.training.record import check_target, record_beside, record_evaluation

        folder = Path(settings.MODELS_DIR) / options["model"]
        beside = options["record_beside"]
        if beside == options["model"]:
            raise CommandError("--record-beside takes the name of another model. --record keeps a model's own figures.")
        target = folder if beside is None else folder.with_name(beside)
        command = f"manage.py evaluate --model {options['model']} --protocol {options['protocol']} --data DIR "
        command += "--record" if beside is None else f"--record-beside {beside}"
        try:
            if options["record"] or beside is not None:
                check_target(
                    target,
                    protocol=options["protocol"],
                    weights_sha256=load_card(folder, verify=False).weights.sha256,
                    beside=beside is not None,
                    replace=options["replace"],
                )
            figures, run = evaluate(
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
        if options["record"]:
            record_evaluation(folder, figures=figures, run=run, samples=SAMPLES_DIR)
        elif beside is not None:
            record_beside(target, figures=figures, run=run)
        if options["pairs"]:
            plot_pairs(options["pairs"], pairs=run.pairs(figures["hospitals"]))
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False))
        else:
            self.stdout.write(evaluation_section(figures, plots="evaluation"))
