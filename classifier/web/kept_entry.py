"""Keep what a person wrote about a scan in a session that had ended, until they have signed in again."""

from django.http import HttpRequest

KEY = "kept_entry"
MAX_LENGTH = 10_000
"""Characters that are kept. A comment is shorter; strangers must not fill the database of sessions."""


def keep_entry(request: HttpRequest) -> None:
    """Keep the form that the request sends, if it has a comment. It takes the place of an earlier one."""
    fields = {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    if "comment" in fields and sum(map(len, fields.values())) <= MAX_LENGTH:
        request.session[KEY] = {"path": request.path, "fields": fields}


def take_entry(request: HttpRequest) -> dict[str, str] | None:
    """Return the form that was kept for the address of the request, once; None if there is none."""
    kept = request.session.get(KEY)
    if kept is None or kept["path"] != request.path:
        return None
    del request.session[KEY]
    fields: dict[str, str] = kept["fields"]
    return fields
