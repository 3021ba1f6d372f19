"""Tokens."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class TokenAuthentication(KnoxAuthentication):  # type: ignore[misc]  # knox has no types
    """`Authorization: Token …`. A header that is no text is a wrong token, not a fault of the server."""

    def authenticate(self, request: Request) -> Any:
        """Return the person and the token; `None` without the header."""
        try:
            return super().authenticate(request)
        except UnicodeError as error:
            raise AuthenticationFailed("Invalid token.") from error


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes it. Registered by being defined."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI object."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and the token, with a space between them.",
        }
