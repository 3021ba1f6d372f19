"""`manage.py create_token USER [--create]`: an API token, alone on its line."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from classifier.models import User
from classifier.services.token import issue_token


class Command(BaseCommand):
    """Print a new API token. It is shown once: only its hash is stored."""

    help = "Print a new API token for USER, alone on its line. It cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """USER and --create."""
        parser.add_argument("user", metavar="USER", help="user name or e-mail address")
        parser.add_argument(
            "--create",
            action="store_true",
            help="create the account if it does not exist (it cannot sign in with a password)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Find or make the account and print its token."""
        try:
            user = self._find(options["user"])
        except DatabaseError as error:
            raise CommandError("The database is not set up yet. Run: python manage.py migrate") from error
        if user is None and options["create"]:
            user = self._create(options["user"])
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}. Add --create to create it.")
        if not user.is_active:
            raise CommandError(f"The account {options['user']!r} is deactivated.")
        _, token = issue_token(user, name="Created on the command line")
        self.stdout.write(token)

    def _find(self, name: str) -> User | None:
        return User.objects.filter(username__iexact=name).first() or User.objects.filter(email__iexact=name).first()

    def _create(self, name: str) -> User:
        username, _, host = name.partition("@")
        user = User(username=username, email=name if host else f"{username}@integration.invalid")
        user.set_unusable_password()
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            # An invalid user name also makes the address invalid that is derived from it.
            reasons = error.message_dict.get("username", error.messages)
            raise CommandError(f"{name!r} cannot be a user name: {' '.join(reasons)}") from error
        user.save()
        return user
