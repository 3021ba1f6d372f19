"""Middleware of the pages."""

from collections.abc import Callable
from functools import cache
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.cache import patch_cache_control

from classifier.models import User
from classifier.web.kept_entry import keep_entry

GetResponse = Callable[[HttpRequest], HttpResponse]

ZONE_COOKIE = "timezone"
"""The zone of the browser, set by `static/js/theme.js`."""


class PrivateResponses:
    """Prevent caching of pages for signed-in users, and lose nothing when a session has ended.

    htmx would insert the sign-in form into the polling page; `HX-Redirect` makes it leave the page instead.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response to the request."""
        response = self.get_response(request)
        if _asks_to_sign_in(response):
            if request.headers.get("HX-Request") == "true":
                return _leave_page(request)
            if request.method == "POST" and not keep_entry(request):
                return _sign_in_for_page(request)
        if (
            response.get("Content-Type", "").startswith("text/html")
            and not response.has_header("Cache-Control")
            and request.user.is_authenticated
        ):
            patch_cache_control(response, private=True, no_store=True)
        return response


class LocalTimes:
    """Shows times in the user's zone: the one of the profile, else of the browser, else of the installation.

    The API is left out: its times are UTC.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response to the request."""
        zone = None if request.path.startswith("/api/v1/") else _zone(request)
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


def _zone(request: HttpRequest) -> ZoneInfo | None:
    chosen = request.user.time_zone if isinstance(request.user, User) else ""
    name = chosen or request.COOKIES.get(ZONE_COOKIE, "")
    # Names are looked up in the list first, because they are also paths of files.
    return ZoneInfo(name) if name in _zone_names() else None


@cache
def _zone_names() -> frozenset[str]:
    # Reading the list opens every file of the time zone database.
    return frozenset(available_timezones())


def _asks_to_sign_in(response: HttpResponse) -> bool:
    return isinstance(response, HttpResponseRedirect) and urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)


def _sign_in_for_page(request: HttpRequest) -> HttpResponse:
    """Return a redirect to the sign-in page that leads back to the page of the form.

    The URL of a form itself often does not answer GET requests.
    """
    messages.warning(request, "Your session had ended, so nothing was changed. Sign in and try again.")
    host, page = _page_of(request.headers.get("Referer", ""))
    return redirect_to_login(page if host == request.get_host() else "/")


def _page_of(url: str) -> tuple[str, str]:
    """Return the host of a URL, and its path with the query; "/" for none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "/"
    return parts.netloc, parts._replace(scheme="", netloc="", fragment="").geturl() or "/"


def _leave_page(request: HttpRequest) -> HttpResponse:
    _, page = _page_of(request.headers.get("HX-Current-URL", ""))
    # 401, so that a script without htmx sees that the request failed.
    return HttpResponse(
        status=401, headers={"HX-Redirect": f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': page})}"}
    )
