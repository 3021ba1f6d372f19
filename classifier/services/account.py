"""Changes to a user's own account."""

from collections.abc import Collection

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from classifier.models import Notification, User
from classifier.notification_choices import EMAIL, PAGE
from classifier.services.errors import Conflict


@transaction.atomic
def update_profile(user: User, *, first_name: str, last_name: str, email: str, time_zone: str = "") -> None:
    """Store the name, time zone and e-mail address. A new address counts as unverified until its owner confirms it.

    Raises:
        Conflict: If another account has this address, ignoring case.
    """
    if User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
        raise Conflict("Another account uses this e-mail address.", code="email_taken")
    changed = user.email != email
    user.first_name, user.last_name, user.email, user.time_zone = first_name, last_name, email, time_zone
    user.save(update_fields=["first_name", "last_name", "email", "time_zone"])
    if changed:
        replace_addresses(user)


def set_keep_file_names(user: User, *, on: bool) -> None:
    """Store the names of files that this person uploads from now on, or stop storing them."""
    user.keep_file_names = on
    user.save(update_fields=["keep_file_names"])


def remember_assistant(user: User, *, provider: str, with_image: bool) -> None:
    """Store which language model the person chose, and whether to send the image, for the next request."""
    user.assistant_provider, user.assistant_image = provider, with_image
    user.save(update_fields=["assistant_provider", "assistant_image"])


def set_notification_choices(user: User, *, page: Collection[str], email: Collection[str]) -> None:
    """Set which kinds of notifications a person gets on the page and by e-mail, from now on.

    Args:
        user: The person.
        page: Kinds for the page; unknown ones are ignored.
        email: Kinds for e-mails.
    """
    user.notification_choices = {
        kind: [PAGE] * (kind in page) + [EMAIL] * (kind in email) for kind in Notification.Kind.values
    }
    user.save(update_fields=["notification_choices"])


def set_sealed_reading(user: User, *, on: bool) -> None:
    """Turn the sealed first read of a person on or off. What was recorded stays.

    It applies to scans uploaded from now on: the person may have seen the results of earlier ones.
    """
    if on == (user.sealed_reading_since is not None):
        return
    user.sealed_reading_since = timezone.now() if on else None
    user.save(update_fields=["sealed_reading_since"])


@transaction.atomic
def replace_addresses(user: User) -> None:
    """Delete the previous addresses of an account, so that nobody can sign in or reset a password with them."""
    EmailAddress.objects.filter(user=user).delete()
    EmailAddress.objects.create(user=user, email=user.email.lower(), primary=True, verified=False)
