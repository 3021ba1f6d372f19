"""The behavior of django-allauth in this installation."""

import re
import smtplib
from typing import Any, ClassVar

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from classifier.models import User, lengths
from classifier.services.notification_email import mail_failure
from classifier.web.kept_entry import forget_entry_of_others
from classifier.web.views.errors import email_not_sent

logger = structlog.get_logger(__name__)

# Letters that look alike in two alphabets would let one person impersonate another.
USER_NAME = re.compile(r"[A-Za-z0-9@.+_-]+")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Control sign-up by a setting, validate user names and e-mail addresses, and provide the error messages."""

    error_messages: ClassVar[dict[str, Any]] = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "Wrong user name, e-mail address, or password.",
        "email_password_mismatch": "Wrong user name, e-mail address, or password.",
        "account_inactive": "This account is deactivated.",
        "email_taken": "Another account uses this e-mail address.",
        "username_taken": "Another account uses this user name.",
        "username_blacklisted": "This user name is reserved. Choose another one.",
        "enter_current_password": "Enter your current password.",
        "incorrect_password": "Wrong password.",
        "too_many_login_attempts": "Too many failed attempts. Try again in a few minutes.",
        "rate_limited": "Too many requests. Try again in a few minutes.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return whether people may create their own accounts."""
        return bool(settings.SIGN_UP)

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign a person in. The session may hold a form that somebody else had entered."""
        super().login(request, user)
        forget_entry_of_others(request)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the user name; reject one that could be mistaken for another by its letters or their case."""
        if not USER_NAME.fullmatch(username):
            raise ValidationError("Use only the letters a to z, digits, and @ . + - _, without spaces or accents.")
        return str(super().clean_username(username, shallow=shallow))

    def clean_email(self, email: str) -> str:
        """Return the address; reject one that is too long to be stored."""
        if len(email) > lengths.EMAIL:
            raise ValidationError(
                f"E-mail addresses can have at most {lengths.EMAIL} characters; this one has {len(email)}."
            )
        return str(super().clean_email(email))

    def format_email_subject(self, subject: str) -> str:
        """Return the subject of the template, without the host name as a prefix."""
        return subject

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send an e-mail about an account. Answer with a page that says so if the mail server does not accept it.

        The page is the same whether or not an account has the address.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except (smtplib.SMTPException, OSError) as error:
            logger.warning("account_email_failed", template=template_prefix, error=mail_failure(error))
            raise ImmediateHttpResponse(email_not_sent(self.request)) from error
