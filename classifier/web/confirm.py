"""The page that asks before something is done. It works without JavaScript."""

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import render

from classifier.web.http import SignedInRequest

CONFIRMED = "confirmed"
"""The field that a confirmed form sends."""


def is_confirmed(request: SignedInRequest) -> bool:
    """Return True if the request comes from the confirmation page."""
    return request.POST.get(CONFIRMED) == "yes"


def ask(
    request: SignedInRequest,
    *,
    heading: str,
    text: str,
    button: str,
    back: str,
    fields: Mapping[str, str] | None = None,
    dangerous: bool = True,
) -> HttpResponse:
    """Return the page that asks. Its form goes to the URL of the request.

    Args:
        request: The request to confirm.
        heading: the question.
        text: The consequence.
        button: the label of the button that does it.
        back: the URL of the button that does not.
        fields: Hidden fields of the form.
        dangerous: whether the button warns by its color.
    """
    context = {
        "heading": heading,
        "text": text,
        "button": button,
        "back": back,
        "fields": {**(fields or {}), CONFIRMED: "yes"},
        "dangerous": dangerous,
    }
    return render(request, "web/confirm.html", context)
