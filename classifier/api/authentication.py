"""Authentication with tokens."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from classifier.services.token import record_use


class TokenAuthentication(KnoxAuthentication):  # type: ignore[misc]  # knox has no types
    """`Authorization: Token …`. A header that is not text is an invalid token, not a server error."""

    def authenticate(self, request: Request) -> Any:
        """Return the user and the token, or `None` without the header."""
        try:
            authenticated = super().authenticate(request)
        except UnicodeError as error:
            raise AuthenticationFailed("Invalid token.") from error
        if authenticated is not None:
            record_use(authenticated[1])
        return authenticated


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The description of the token in the schema. Its definition registers it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI object."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `Token`, a space and the token.",
        }
