"""Create, delete, and use API tokens."""

import time
from datetime import timedelta

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone
from knox.models import AuthToken

from classifier.models import ApiToken, User, lengths
from classifier.services.errors import Conflict, Invalid

logger = structlog.get_logger(__name__)

# More are a mistake, and each authentication reads the expiry of all.
MAX_TOKENS = 50
# A client that polls would otherwise write with each request.
USE_INTERVAL = timedelta(minutes=1)
# Tokens that this process remembers. Forgetting one costs a statement that changes nothing.
MAX_REMEMBERED = 1000

_recorded_at: dict[str, float] = {}
"""When this process last recorded the use of a token, of `time.monotonic`, by digest."""


def create_token(user: User, *, name: str, lifetime: timedelta | None = None) -> tuple[ApiToken, str]:
    """Create a token. Return it with its text, which is stored nowhere.

    Args:
        user: the account that the token acts for.
        name: Its purpose; at most `lengths.GIVEN_NAME` characters.
        lifetime: None for a token that is valid until it is deleted.

    Raises:
        Invalid: if the name is empty or too long.
        Conflict: if the account has a token with this name, or too many.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > lengths.GIVEN_NAME:
        raise Invalid(f"A token needs a name of at most {lengths.GIVEN_NAME} characters.")
    with transaction.atomic():
        # Locked, so that a form sent twice creates one token.
        User.objects.select_for_update().get(pk=user.pk)
        own = ApiToken.objects.filter(auth_token__user=user)
        if own.filter(name__iexact=name).exists():
            raise Conflict(f"You already have a token named “{name}”. Choose another name, or delete that token.")
        if own.count() >= MAX_TOKENS:
            raise Conflict(f"You have {MAX_TOKENS} tokens. Delete one that is no longer used.")
        return issue_token(user, name=name, lifetime=lifetime)


@transaction.atomic
def issue_token(user: User, *, name: str, lifetime: timedelta | None = None) -> tuple[ApiToken, str]:
    """Create a token without checking its name. Return it with its text."""
    auth_token, text = AuthToken.objects.create(user=user, expiry=lifetime)
    token = ApiToken.objects.create(auth_token=auth_token, name=name)
    logger.info("token_created", token=token.pk, user=user.pk)
    return token, text


def delete_token(token: ApiToken, *, by: User) -> None:
    """Delete a token: requests with it are refused from now on."""
    logger.info("token_deleted", token=token.pk, by=by.pk)
    token.auth_token.delete()


def record_use(auth_token: AuthToken) -> None:
    """Record that a token was used, at most once a minute. Never fail: the request counts more than its record."""
    now = time.monotonic()
    if now - _recorded_at.get(auth_token.digest, float("-inf")) < USE_INTERVAL.total_seconds():
        return
    if len(_recorded_at) >= MAX_REMEMBERED:
        _recorded_at.clear()
    _recorded_at[auth_token.digest] = now
    used_at = timezone.now()
    # Another process may have recorded it within the minute.
    due = Q(last_used_at=None) | Q(last_used_at__lt=used_at - USE_INTERVAL)
    try:
        ApiToken.objects.filter(due, auth_token=auth_token).update(last_used_at=used_at)
    except DatabaseError as error:
        logger.warning("token_use_not_recorded", error=repr(error))
