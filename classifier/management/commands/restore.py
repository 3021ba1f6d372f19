"""`manage.py restore PATH`: a backup, into an empty installation."""

import os
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.ops.backup import BackupError
from classifier.ops.backup.restore import restore

MOST_NAMES = 20


class Command(BaseCommand):
    """Restore a backup."""

    help = "Restore a backup into an empty installation that is not running, and verify its rows and checksums."
    # The tables need not exist yet.
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """PATH."""
        parser.add_argument("path", type=Path, help="an archive made by `manage.py backup`")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, and say what was verified."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        # Database and images are private to this user, as with `up`.
        os.umask(0o077)
        try:
            restored = restore(options["path"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Restored the backup of {restored.manifest['created_at']}: {restored.scans:,} scans with "
            f"{restored.files:,} image files.\n"
            f"Verified: the rows of {len(restored.manifest['tables'])} tables and the checksum of every file "
            "are those of the backup."
        )
        for names, words in (
            (restored.missing, "Missing already when the backup was made"),
            (restored.deleted, "Deleted with their scans while the backup was made; delete these scans again"),
        ):
            if names:
                self.stderr.write(f"{words} ({len(names):,}):")
                for name in names[:MOST_NAMES]:
                    self.stderr.write(f"  {name}")
        if not restored.same_secret_key:
            keys = restored.encrypted_keys
            self.stderr.write(
                "SECRET_KEY is not that of the backup: everyone must sign in again"
                + (f", and the API keys of {keys} language models must be entered again." if keys else ".")
            )
        self.stdout.write("Next: python manage.py migrate, then start BrainScan.")
