"""Errors of the API in one shape: `{"type": …, "errors": [{"code": …, "detail": …, "attr": …}]}`."""

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from drf_standardized_errors.handler import ExceptionHandler as StandardHandler
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.response import Response

from classifier.api.middleware import SERVER_ERROR
from classifier.intake import RefusedImage
from classifier.services.errors import Conflict, NotAllowed, NotFound, ServiceError, StorageFull, StorageUnavailable

logger = structlog.get_logger(__name__)

STATUS_OF_SERVICE_ERROR: tuple[tuple[type[ServiceError], int], ...] = (
    (Conflict, status.HTTP_409_CONFLICT),
    (NotFound, status.HTTP_404_NOT_FOUND),
    (NotAllowed, status.HTTP_403_FORBIDDEN),
    (StorageFull, status.HTTP_507_INSUFFICIENT_STORAGE),
    (StorageUnavailable, status.HTTP_503_SERVICE_UNAVAILABLE),
    (ServiceError, status.HTTP_400_BAD_REQUEST),
)
STATUS_OF_REFUSAL = {
    "too_large": status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    "wrong_type": status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
}

# A database that restarts is available again after some seconds.
RETRY_SECONDS = 5


class Unavailable(APIException):
    """The database is unavailable; the request itself is fine."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = (
        "The database is temporarily unavailable. Send the request again in a few seconds. "
        "An upload with the same Idempotency-Key is stored only once."
    )
    wait = RETRY_SECONDS


class Refused(APIException):
    """An error with a sentence for people, and a status and a code for programs."""

    def __init__(self, detail: str, *, code: str, status_code: int) -> None:
        self.status_code = status_code
        super().__init__(detail, code)


class ExceptionHandler(StandardHandler):
    """Translate the exceptions of services and intake."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Return the API's exception for `exc`."""
        if isinstance(exc, RefusedImage):
            code = STATUS_OF_REFUSAL.get(exc.code, status.HTTP_422_UNPROCESSABLE_ENTITY)
            return Refused(exc.message, code=exc.code, status_code=code)
        if isinstance(exc, ServiceError):
            code = next(number for kind, number in STATUS_OF_SERVICE_ERROR if isinstance(exc, kind))
            if code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
                logger.error("storage_failed", error=repr(exc.__cause__))
            return Refused(exc.message, code=exc.code, status_code=code)
        if isinstance(exc, RequestDataTooBig):
            detail = f"The text fields together exceed {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024} KB."
            return Refused(detail, code="too_large", status_code=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
        if isinstance(exc, SuspiciousOperation):
            return ParseError("The request is malformed.")
        if isinstance(exc, OperationalError | InterfaceError):
            logger.error("database_away", error=repr(exc))
            return Unavailable()
        return super().convert_known_exceptions(exc)

    def convert_unhandled_exceptions(self, exc: Exception) -> APIException:
        """Return the API's exception for an error of the server, with a sentence for people."""
        return exc if isinstance(exc, APIException) else APIException(SERVER_ERROR)

    def report_exception(self, exc: APIException, response: Response) -> None:
        """Log a server error as Django does. An unavailable database or storage is logged already."""
        if not isinstance(exc, Unavailable | Refused):
            super().report_exception(exc, response)
