"""`manage.py backup [PATH]`: database and images in one file, while people continue to work."""

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from classifier.ops.backup import BackupError
from classifier.ops.backup.create import Backup, back_up

MOST_NAMES = 20


class Command(BaseCommand):
    """Back up the installation."""

    help = "Store the database and all images in one archive. BrainScan may run meanwhile. SECRET_KEY is not in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """PATH."""
        parser.add_argument(
            "path",
            nargs="?",
            type=Path,
            help="an existing folder, or a new file that ends in .tar (default: DATA_DIR/backups)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make a backup and say what is in it."""
        # Ends like Ctrl-C, so that what is unfinished is removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            backup = back_up(options["path"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Backed up {backup.scans:,} scans with {backup.files:,} image files, "
            f"{filesizeformat(backup.bytes)}, to {backup.path}"
        )
        self._report_absent(backup)
        keys = f", and the API keys of {backup.encrypted_keys} language models" if backup.encrypted_keys else ""
        self.stdout.write(
            f"The archive holds patient data{keys}: store it encrypted. It does not hold SECRET_KEY. Keep that key "
            "in another place: without it, stored API keys cannot be read, and everyone must sign in again."
        )

    def _report_absent(self, backup: Backup) -> None:
        for names, words in (
            (backup.missing, "WARNING: image files that scans refer to are missing from the storage"),
            (backup.deleted, "Image files of scans that were deleted while the backup ran are not in it"),
        ):
            if names:
                self.stderr.write(f"{words} ({len(names):,}):")
                for name in names[:MOST_NAMES]:
                    self.stderr.write(f"  {name}")
                if len(names) > MOST_NAMES:
                    self.stderr.write("  and more; end.json in the archive lists all of them")
