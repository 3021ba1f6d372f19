"""Errors for people. Pages and the API show `str(error)` as it is."""


class ServiceError(Exception):
    """Something a person asked for cannot be done; the message says why and what to do.

    Attributes:
        code: a short stable word for programs.
    """

    code = "invalid"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Invalid(ServiceError):
    """What was asked for makes no sense."""


class NotAllowed(ServiceError):
    """The person sees the thing but may not do this to it."""

    code = "not_allowed"


class Conflict(ServiceError):
    """The thing is no longer in a state in which this can be done."""

    code = "conflict"


class StorageFull(ServiceError):
    """The media disk takes no more files."""

    code = "storage_full"


class Sealed(Conflict):
    """The result is closed to the person until they have recorded an impression (sealed first read)."""

    code = "sealed"

    def __init__(self) -> None:
        super().__init__("This result is sealed. Record your own impression of the scan first; then it opens.")


class NotFound(ServiceError):
    """There is no such object, or the person cannot see it."""

    code = "not_found"
