"""The page for server errors."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 503 while the database is unreachable and 500 for every other error.

    Renders without context processors: they would ask the database who is signed in.
    """
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if not away:
        return HttpResponse(render_to_string("500.html"), status=500)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
