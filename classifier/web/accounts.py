"""What django-allauth is told about this installation."""

import re

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from classifier.models import User

# Letters that look alike in two alphabets would let one person pass for another.
USER_NAME = re.compile(r"[A-Za-z0-9@.+_-]+")
MAX_EMAIL = User._meta.get_field("email").max_length or 254


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Opens and closes the sign-up page by a setting, and says which user names and addresses are taken."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether people may make their own accounts here."""
        return bool(settings.SIGN_UP)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the user name; refuse one that could be mistaken for another, by its letters or by their case."""
        if not USER_NAME.fullmatch(username):
            raise ValidationError("Use the letters a to z, digits and @ . + - _ only, without spaces or accents.")
        return str(super().clean_username(username, shallow=shallow))

    def clean_email(self, email: str) -> str:
        """Return the address; refuse one that would be stored cut short."""
        if len(email) > MAX_EMAIL:
            raise ValidationError(f"An e-mail address has at most {MAX_EMAIL} characters; this one has {len(email)}.")
        return str(super().clean_email(email))

    def format_email_subject(self, subject: str) -> str:
        """Return the subject as its template has it, without the host's name before it."""
        return subject
