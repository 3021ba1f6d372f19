"""Failures of a provider, in sentences for people that repeat nothing the provider sent."""

import json

from classifier.services.assistant import Connection

CUT_OFF = "cut_off"
"""The code of an answer that reached the length limit."""


class ProviderFailed(Exception):
    """A provider gave no usable answer; the message is a sentence for people, without anything the provider sent.

    Attributes:
        code: a short identifier for logs and figures.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def failure_of(error: Exception, connection: Connection) -> ProviderFailed:
    """Return the sentence for an error. It names the provider and repeats nothing that the provider sent."""
    from pydantic_ai import exceptions as e

    name = connection.name
    if _is_no_json(error):
        return ProviderFailed(empty(name), code="malformed")
    known: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
        ((e.ModelTimeoutError, e.ModelRequestTimeout, e.RunTimedOut, TimeoutError), "timeout", _SLOW),
        ((e.ModelAuthenticationError,), "authentication", _KEY),
        ((e.ModelQuotaExceededError,), "quota", _QUOTA),
        ((e.ModelRateLimitError,), "rate_limit", _BUSY),
        ((e.ModelNotFoundError,), "not_found", _UNKNOWN),
        ((e.ModelContextWindowExceededError,), "too_long", _LONG),
        ((e.ModelUnavailableError, e.ModelServerError), "server_error", _DOWN),
        ((e.ModelConnectionError,), "unreachable", _UNREACHABLE),
        ((e.ContentFilterError,), "refused", _FILTERED),
        ((e.OutputTokenLimitExceeded,), CUT_OFF, _CUT),
        ((e.ModelRequestRejectedError, e.ModelHTTPError), "rejected", _REJECTED),
        ((e.UnexpectedModelBehavior, e.UsageLimitExceeded), "malformed", _MALFORMED),
        ((e.ModelAPIError,), "unreachable", _UNREACHABLE),
    )
    for kinds, code, text in known:
        if isinstance(error, kinds):
            return ProviderFailed(text.format(name=name, seconds=connection.timeout_seconds), code=code)
    return ProviderFailed(_OTHER.format(name=name), code="error")


def _is_no_json(error: BaseException | None) -> bool:
    """Return whether the server answered, but not in JSON; clients report that as a failed connection."""
    while error is not None:
        if isinstance(error, json.JSONDecodeError):
            return True
        error = error.__cause__ or error.__context__
    return False


def empty(name: str) -> str:
    """Return the sentence for an answer without content."""
    return _MALFORMED.format(name=name)


_SLOW = "The provider {name} did not answer within {seconds} seconds."
_KEY = "The provider {name} did not accept the key. Tell your administrator."
_QUOTA = "The quota of the provider {name} is used up. Tell your administrator."
_BUSY = "The provider {name} receives too many requests at the moment. Try again in a minute."
_UNKNOWN = "The provider {name} does not know this model or URL. Tell your administrator."
_LONG = "The request is too long for the model of the provider {name}."
_DOWN = "The provider {name} reports an internal error."
_UNREACHABLE = "The provider {name} cannot be reached."
_FILTERED = "The provider {name} refused to answer."
_CUT = "The answer of the provider {name} was cut off at the length limit."
_REJECTED = "The provider {name} rejected the request. Tell your administrator."
_MALFORMED = "The answer of the provider {name} was empty or not in the required form."
_OTHER = "The request to the provider {name} failed. Tell your administrator."
