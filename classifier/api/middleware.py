"""Errors that Django raises before a view of the API runs."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.FORBIDDEN: "permission_denied",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is malformed, or its Host header is not allowed.",
    HTTPStatus.FORBIDDEN: "The request is not allowed.",
    HTTPStatus.NOT_FOUND: "There is no such URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This URL does not support the method.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server is temporarily unavailable. Send the request again in a few seconds.",
}
SERVER_ERROR = "The server failed. The error is logged."


class JsonErrors:
    """Answer every error below `/api/` in the API's shape instead of with an HTML page.

    The middleware comes first, so that it also handles a disallowed Host and a URL that does not exist. In debug mode
    Django's own pages stay.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the response, or its translation."""
        response = self.get_response(request)
        if not request.path.startswith("/api/") or response.status_code < HTTPStatus.BAD_REQUEST or settings.DEBUG:
            return response
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return translated(response)


def translated(response: HttpResponseBase) -> HttpResponse:
    """Return an error page's status and headers with a JSON body."""
    status = HTTPStatus(response.status_code)
    server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    error = {
        "code": CODES.get(status, "error"),
        "detail": DETAILS.get(status, SERVER_ERROR if server_error else f"{status.phrase}."),
        "attr": None,
    }
    body = {"type": "server_error" if server_error else "client_error", "errors": [error]}
    kept = {name: value for name, value in response.headers.items() if name not in ("Content-Type", "Content-Length")}
    return JsonResponse(body, status=status, headers=kept | {"Cache-Control": "private, no-store"})
