"""The OpenAPI schema: one error shape, and for each operation the status codes that it can answer with."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers

from classifier.api.fields import TextField

ERROR_TYPES = ("validation_error", "client_error", "server_error")


class ErrorItemSerializer(serializers.Serializer[Any]):
    """One reason why a request failed."""

    code = serializers.CharField(read_only=True, help_text="A short, stable word for programs.")
    detail = serializers.CharField(read_only=True, help_text="A sentence that can be shown to people.")
    attr = serializers.CharField(
        read_only=True, allow_null=True, help_text="The field or query parameter at fault; null when there is none."
    )


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every error response."""

    type = serializers.ChoiceField(
        choices=ERROR_TYPES,
        read_only=True,
        help_text="`validation_error` names invalid fields in `attr`; `server_error` is not the client's fault.",
    )
    # The base class has a property of that name.
    errors = ErrorItemSerializer(  # type: ignore[assignment]
        many=True, read_only=True, help_text="At least one."
    )


DESCRIPTIONS = {
    HTTPStatus.BAD_REQUEST: "A field, a query parameter or the request itself is invalid.",
    HTTPStatus.UNAUTHORIZED: "The request has no valid token.",
    HTTPStatus.FORBIDDEN: "The caller can see the resource but is not allowed to change it.",
    HTTPStatus.NOT_FOUND: "The resource does not exist, or the caller is not allowed to see it.",
    HTTPStatus.NOT_ACCEPTABLE: "The `Accept` header excludes `application/json`.",
    HTTPStatus.CONFLICT: "The resource is in a state that does not allow the request.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The file or the text fields are too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content type of the request or the type of the file is not supported.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The file has a supported type, but it cannot be read or analyzed.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server failed. The error is logged.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is unavailable. Send the request again after `Retry-After` seconds.",
    HTTPStatus.INSUFFICIENT_STORAGE: "The server has no space left. Nothing was stored.",
}

RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds to wait before the next request.",
    response=[HTTPStatus.SERVICE_UNAVAILABLE],
)


def errors(*statuses: int, **descriptions: str) -> dict[int, OpenApiResponse]:
    """Return the documented error responses of an operation.

    Args:
        *statuses: HTTP status codes described by `DESCRIPTIONS`.
        **descriptions: What a status means for this operation, for example `status_404="…"`.
    """
    texts = {status: DESCRIPTIONS[HTTPStatus(status)] for status in statuses}
    texts |= {int(name.removeprefix("status_")): text for name, text in descriptions.items()}
    return {status: OpenApiResponse(ErrorSerializer, description=text) for status, text in texts.items()}


class ClosedObject(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Say of the filters in a body that there are no others."""

    target_class = "classifier.api.queries.ScanFilters"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the schema of the filters."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class ApiSchema(AutoSchema):
    """Add the errors that every operation has in common."""

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        # The pattern of a text field accepts the empty string. The alternative that the base class adds for it would
        # match too, and `oneOf` refuses what matches twice.
        if isinstance(field, TextField) and "oneOf" in schema:
            schema.update(schema.pop("oneOf")[0])

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # The base class overlooks that each form of a body with several forms has required fields.
        if body and isinstance(self.get_request_serializer(), PolymorphicProxySerializer):
            body["required"] = True
        return body

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)  # type: ignore[arg-type]
        if direction == "response":
            for status, response in errors(401, 406, 500, 503).items():
                body = self._get_response_for_code(response, str(status))  # type: ignore[no-untyped-call]
                bodies.setdefault(str(status), body)
        return dict(sorted(bodies.items()))
