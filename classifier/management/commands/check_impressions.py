"""`manage.py check_impressions`: verify the hash chains of the sealed first reads."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.models import Impression, User
from classifier.services.review import first_broken_link


class Command(BaseCommand):
    """Verify that no recorded impression was changed or removed."""

    help = "Verify that no first read was changed after it was recorded. Exits with 1 if one was."

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the chain of every reader and name the first broken impression of each."""
        readers = User.objects.filter(pk__in=Impression.objects.values("reader")).order_by("pk")
        broken = [
            f"impression {found.number} of {reader.username} (scan {found.scan_id})"
            for reader in readers
            if (found := first_broken_link(_chain(reader)))
        ]
        if broken:
            raise CommandError(f"Changed, or preceded by one that was changed: {'; '.join(broken)}.")
        self.stdout.write(f"{Impression.objects.count():,} impressions of {len(readers):,} readers are unchanged.")


def _chain(reader: User) -> list[Impression]:
    return list(Impression.objects.filter(reader=reader).order_by("number"))
