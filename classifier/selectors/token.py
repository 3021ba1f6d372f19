"""Reads of API tokens, scoped to a person."""

from django.db.models import QuerySet

from classifier.models import ApiToken, User


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the tokens of `user`, newest first, each with its expiry."""
    return ApiToken.objects.filter(auth_token__user=user).select_related("auth_token")


def get_token(user: User, token_id: int) -> ApiToken:
    """Return one of the user's tokens. Raise `ApiToken.DoesNotExist` for any other."""
    return tokens_of(user).get(pk=token_id)
