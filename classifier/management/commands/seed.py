"""`manage.py seed --scans N`: a realistic large installation, to try things out and to measure."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.management.seeding.installation import EMAIL_DOMAIN, Installation
from classifier.models import Scan


class Command(BaseCommand):
    """Store N made-up scans with people, teams, patients, results, and reviews."""

    help = "Store N made-up scans of made-up people and teams, with results and reviews. All share one image."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --scans, --password, --seed, and --beside-real-scans."""
        parser.add_argument("--scans", type=int, required=True, metavar="N", help="number of scans")
        parser.add_argument(
            "--password", default="", help="password of the made-up accounts; without one, they cannot sign in"
        )
        parser.add_argument("--seed", type=int, default=1, help="another number gives another installation")
        parser.add_argument(
            "--beside-real-scans", action="store_true", help="seed even if the installation has scans of real people"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check that the installation has no real scans, then store everything."""
        if options["scans"] < 1:
            raise CommandError("--scans takes a positive number.")
        real = Scan.objects.exclude(owner__email__endswith=f"@{EMAIL_DOMAIN}")
        if real.exists() and not options["beside_real_scans"]:
            raise CommandError(
                "This installation has scans of real people. Seed another one: set DATA_DIR or DATABASE_URL. "
                "To add made-up scans here anyway, use --beside-real-scans."
            )
        begin = time.monotonic()
        installation = Installation(scans=options["scans"], seed=options["seed"], password=options["password"])
        installation.store(say=self.stdout.write)
        self.stdout.write(
            f"{options['scans']:,} scans of {len(installation.people)} people in {len(installation.team_names)} teams "
            f"in {time.monotonic() - begin:.0f} s. Accounts: {installation.people[0].username} and so on."
        )
