"""What people see when the server itself is at fault."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:
    """Say whether waiting a moment helps: a database that is away comes back, anything else is recorded for people.

    Renders without context processors: they would ask the database who is signed in.
    """
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if not away:
        return HttpResponse(render_to_string("500.html"), status=500)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
