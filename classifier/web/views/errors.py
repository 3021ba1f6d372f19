"""The error pages. People who are signed in keep the navigation, as far as that is known without risk."""

import sys
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN, REASON_BAD_REFERER, REASON_NO_CSRF_COOKIE, get_token
from django.template.loader import render_to_string

from classifier.models import User

logger = structlog.get_logger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 400."""
    return _page(request, "400.html", status=400, user=_user(request))


def permission_denied(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """Return 403 with the reason that the view gave."""
    return _page(request, "403.html", status=403, user=_user(request), reason=str(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 404."""
    return _page(request, "404.html", status=404, user=_user(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return 403 for a form that could not be verified, with the likely cause."""
    if reason == REASON_NO_CSRF_COOKIE:
        cause = "cookies"
    elif reason.startswith((REASON_BAD_ORIGIN.split("%")[0], REASON_BAD_REFERER.split("%")[0])):
        cause = "origin"
    else:
        cause = "expired"
    return _page(request, "403_csrf.html", status=403, user=_user(request), cause=cause)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 503 while the database is unreachable and 500 for every other error.

    Never asks the database who is signed in: it may be what failed.
    """
    user = _signed_in(getattr(request, "_cached_user", None))
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _page(request, "500.html", status=500, user=user)
    response = _page(request, "503.html", status=503, user=user)
    response["Retry-After"] = "5"
    return response


def email_not_sent(request: HttpRequest) -> HttpResponse:
    """Return 503 for a form whose e-mail the mail server did not accept."""
    return _page(request, "503_email.html", status=503, user=_user(request))


def _user(request: HttpRequest) -> User | None:
    """Return the signed-in user; None if there is none, or the database does not answer."""
    try:
        return _signed_in(getattr(request, "user", None))
    except DatabaseError:
        return None


def _signed_in(user: Any) -> User | None:
    return user if user is not None and user.is_authenticated else None


def _page(request: HttpRequest, template: str, *, status: int, user: User | None, **context: Any) -> HttpResponse:
    """Render without context processors, which would query the database; without navigation if that fails."""
    if user is not None:
        around = {"layout": "base.html", "request": request, "user": user}
        try:
            page = render_to_string(template, {**context, **around, "csrf_token": get_token(request)})
            return HttpResponse(page, status=status)
        except Exception as error:
            # An error page must not fail, regardless of the cause.
            logger.warning("error_page_without_navigation", error=repr(error))
    return HttpResponse(render_to_string(template, context), status=status)
