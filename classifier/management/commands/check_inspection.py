"""`manage.py check_inspection`: measure the input check."""

import datetime
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.management.training_options import add_data_option


class Command(BaseCommand):
    """Measure on the test fold and on check images of other hospitals, which nothing was fitted on."""

    help = "Measure how often the input check warns of clean, turned, cropped and marked images."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add_data_option(parser)
        parser.add_argument("--fonts", type=Path, nargs="+", required=True, metavar="FILE", help="TrueType fonts")
        parser.add_argument("--images", type=int, default=300, help="images of each kind")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        from classifier.training.hospitals import read_data
        from classifier.training.inspection_check import check_inspection
        from classifier.training.inspection_turns import UPSIDE_DOWN_SOURCES
        from classifier.training.manifest import ManifestError
        from classifier.training.protocols import make_split

        try:
            split = make_split(read_data(options["data"]), protocol="patient")
        except ManifestError as error:
            raise CommandError(str(error)) from error
        left_out = ("erased", *UPSIDE_DOWN_SOURCES)
        rows = [row for row in (*split.test, *split.check) if row.source not in left_out]
        figures = check_inspection(rows, fonts=tuple(options["fonts"]), count=options["images"])
        record = {"date": datetime.date.today().isoformat(), "command": "manage.py check_inspection"} | figures
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        if options["output"]:
            options["output"].write_text(text, encoding="utf-8")
        self.stdout.write(text)
