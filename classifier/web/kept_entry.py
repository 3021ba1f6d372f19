"""Keep what a person wrote about a scan in a session that had ended, until they have signed in again."""

from django.http import HttpRequest

KEY = "kept_entry"
TEXTS = ("comment", "impression")
"""Fields of the forms that are kept: reviews and reports."""
MAX_LENGTH = 30_000
"""Characters that are kept. A report is shorter; strangers must not fill the database of sessions."""
SESSION_ENDED = "Your session had ended, so nothing was recorded yet. Check what you entered and save it again."


def keep_entry(request: HttpRequest) -> bool:
    """Keep the form that the request sends, in place of an earlier one. Return False if it is not one to be kept."""
    fields = {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    if not any(name in fields for name in TEXTS) or sum(map(len, fields.values())) > MAX_LENGTH:
        return False
    request.session[KEY] = {"path": request.path, "fields": fields}
    return True


def take_entry(request: HttpRequest) -> dict[str, str] | None:
    """Return the form that was kept for the address of the request, once; None if there is none."""
    kept = request.session.get(KEY)
    if kept is None or kept["path"] != request.path:
        return None
    del request.session[KEY]
    fields: dict[str, str] = kept["fields"]
    return fields
