"""`manage.py check_counts [--repair]`: compare what lists and counts are read from with the scans."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.services.scan_counts import check_counts, merge_counts, repair_counts


class Command(BaseCommand):
    """Verify the counts, the facets, and the searchable texts of scans."""

    help = "Compare the counts and the search index with the scans. Exits with 1 if they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--repair."""
        parser.add_argument("--repair", action="store_true", help="recompute them if they differ")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, and repair if asked to."""
        found = check_counts()
        if found.is_clean:
            merge_counts(at_least=1)
            self.stdout.write("Counts and search index agree with the scans.")
            return
        words = f"{found.facets:,} facets, {found.counts:,} counts, and {found.texts:,} searchable texts are wrong."
        if not options["repair"]:
            raise CommandError(f"{words} Run: python manage.py check_counts --repair")
        repair_counts()
        self.stdout.write(f"{words} They were recomputed.")
