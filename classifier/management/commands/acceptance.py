"""`manage.py acceptance FILE...`: verify signed acceptance reports and show them side by side."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.acceptance.side_by_side import Table, side_by_side
from classifier.acceptance.signature import SignedFile, UnusableReport, fingerprint_of, read_signed
from classifier.services.acceptance import public_key


class Command(BaseCommand):
    """Verify signed acceptance reports of several sites and print them as one table."""

    help = "Verify signed acceptance reports and show them side by side."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files."""
        parser.add_argument("files", nargs="*", type=Path, help="Files from the page of a closed commissioning.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key of this installation and the table. Fail if a file cannot be used."""
        self.stdout.write(f"This installation signs with the key {fingerprint_of(public_key())}.")
        read: list[tuple[str, SignedFile]] = []
        refused = []
        for path in options["files"]:
            try:
                read.append((path.name, read_signed(path.read_bytes())))
            except (OSError, UnusableReport) as error:
                refused.append(f"{path}: {error}")
        if read:
            self.stdout.write(_text(side_by_side(read)))
        if refused:
            raise CommandError("\n".join(refused))


def _text(table: Table) -> str:
    """Return a table as aligned columns."""
    lines = [("", *table.columns), *((label, *cells) for label, cells in table.rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
