"""Errors for users. Pages and the API show `str(error)` unchanged."""

from classifier.input_problems import WITHHELD_ANSWER


class ServiceError(Exception):
    """A request cannot be fulfilled; the message says why and what to do.

    Attributes:
        code: A short, stable identifier for programs.
    """

    code = "invalid"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Invalid(ServiceError):
    """The request contains an invalid value."""


class NotAllowed(ServiceError):
    """The user can see the object but lacks permission for this action."""

    code = "not_allowed"


class Conflict(ServiceError):
    """The current state of the object does not allow this action."""

    code = "conflict"


class StorageFull(ServiceError):
    """The media disk is full."""

    code = "storage_full"


class StorageUnavailable(ServiceError):
    """The storage of the images fails at the moment."""

    code = "storage_unavailable"


class Sealed(Conflict):
    """The result is closed to the person until they have recorded an impression (sealed first read)."""

    code = "sealed"

    def __init__(self) -> None:
        super().__init__("This result is sealed. Record your own impression of the scan first; then it opens.")


class Withheld(Conflict):
    """The input check withholds the answer until a person has corrected the image or confirmed that it is right."""

    code = "withheld"

    def __init__(self) -> None:
        super().__init__(f"{WITHHELD_ANSWER} Its page, or `mend` of the API, does both.")


class NotFound(ServiceError):
    """There is no such object, or the person cannot see it."""

    code = "not_found"
