"""`manage.py sweep`: run the periodic sweep by hand, and delete orphaned files."""

from typing import Any

from django.core.management.base import BaseCommand

from classifier.queue import claim
from classifier.services import report_archive, storage
from classifier.services.scan_counts import merge_counts


class Command(BaseCommand):
    """Recover from dead workers, notify the workers if analyses wait, and remove files without a row."""

    help = "Recover interrupted analyses, notify the workers, and remove stored files that no scan refers to."

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep once and print the counts."""
        swept = claim.sweep()
        merge_counts()
        report_archive.sweep_archives()
        report_archive.remove_orphaned_archives()
        removed = storage.remove_orphaned_files()
        self.stdout.write(f"failed: {swept.failed}, waiting: {swept.waiting}, orphaned files removed: {removed}")
