"""What the REST views share: the cache policy, and parameters of several operations in the schema."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from classifier.api.preferences import MAX_WAIT_SECONDS
from classifier.models import lengths

PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description=f"`wait=N` answers when the analysis finishes, or after N seconds; N is at most {MAX_WAIT_SECONDS}.",
)
PREFERENCE_APPLIED = OpenApiParameter(
    "Preference-Applied",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N` if the server waited. It is missing when too many requests are waiting already.",
    response=[200],
)
SEALED = "The result is sealed until the caller has recorded an impression (code `sealed`)."


def idempotency_key(description: str) -> OpenApiParameter:
    """Return the header with which a client sends a request again without having it carried out twice."""
    # The printable characters of ISO 8859-1: header values cannot hold others.
    pattern = "^[\\u0020-\\u007e\\u00a1-\\u00ac\\u00ae-\\u00ff]*$"
    schema = {"type": "string", "maxLength": lengths.IDEMPOTENCY_KEY, "pattern": pattern}
    return OpenApiParameter("Idempotency-Key", schema, OpenApiParameter.HEADER, description=description)


class PrivateView(APIView):
    """A view whose responses must not be cached. Images set their own cache policy."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the `Cache-Control` header unless the view has set one."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class UnknownUrl(PrivateView):
    """Every other URL below `/api/v1/`, so that a mistyped one gets the API's own error."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise `NotFound` for every method, after authentication."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is no such URL.")
