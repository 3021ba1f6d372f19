"""Keep what a person wrote about a scan in a session that had ended, until they have signed in again."""

from typing import TypeVar

from django import forms
from django.http import HttpRequest

AnyForm = TypeVar("AnyForm", bound=forms.BaseForm)

KEY = "kept_entry"
TEXTS = ("comment", "impression", "text", "notes")
"""Fields of the forms that are kept: reviews, reports and their templates, addenda, and notes about a scan."""
AUTHOR = "entered_by"
"""Field with the key of the person who had opened the form. On a shared workstation somebody else may sign in next, and
must not read it: a first read would no longer be blind."""
MAX_LENGTH = 30_000
"""Characters that are kept. A report is shorter; strangers must not fill the database of sessions."""
SESSION_ENDED = "Your session had ended, so nothing was recorded yet. Check what you entered and save it again."


def keep_entry(request: HttpRequest) -> bool:
    """Keep the form that the request sends, in place of an earlier one. Return False if it is not one to be kept."""
    fields = {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    if AUTHOR not in fields or not any(name in fields for name in TEXTS) or sum(map(len, fields.values())) > MAX_LENGTH:
        return False
    request.session[KEY] = {"path": request.path, "fields": fields}
    return True


def take_entry(request: HttpRequest) -> dict[str, str] | None:
    """Return what its author had entered at the URL of the request, once; None if there is nothing of theirs."""
    kept = request.session.get(KEY)
    if kept is None:
        return None
    fields: dict[str, str] = kept["fields"]
    is_own = _is_own(request)
    if is_own and kept["path"] != request.path:
        return None
    del request.session[KEY]
    return fields if is_own else None


def forget_entry_of_others(request: HttpRequest) -> None:
    """Remove what somebody else than the person who has just signed in had entered."""
    if KEY in request.session and not _is_own(request):
        del request.session[KEY]


def _is_own(request: HttpRequest) -> bool:
    return bool(request.session[KEY]["fields"][AUTHOR] == str(request.user.pk))


def given_back(form: AnyForm) -> AnyForm:
    """Return a form that holds a kept entry, with a sentence that says why it is filled in."""
    form.full_clean()
    form.add_error(None, SESSION_ENDED)
    return form
