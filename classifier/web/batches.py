"""The results of the latest uploads of several files, so that a page without JavaScript can be reloaded.

The session stores scans and refusals. File names may contain patients' names, so they remain on the user's device, in a
signed cookie that is sent to this page only.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.http import HttpResponse

from classifier.selectors.scan import visible_scans
from classifier.web.http import SignedInRequest
from classifier.web.uploads import UploadResult

SESSION_KEY = "upload_batches"
# One for each window that a person is likely to watch.
KEPT = 3
NAMES_COOKIE = "upload_names"
# Long enough to see the results arrive.
NAMES_SECONDS = 3600
# Enough to distinguish files in a list.
NAME_LENGTH = 100
# Browsers refuse cookies of more than 4,096 bytes. Files whose names do not fit are numbered.
MAX_COOKIE = 3800


def store_batch(session: SessionBase, results: list[UploadResult]) -> str:
    """Store the results until the session ends or newer ones replace them; return the key to read them."""
    key = uuid.uuid4().hex
    batches = dict(list(session.get(SESSION_KEY, {}).items())[-(KEPT - 1) :])
    session[SESSION_KEY] = batches | {key: [_row(result) for result in results]}
    return key


def keep_names(response: HttpResponse, *, key: str, results: list[UploadResult], path: str) -> None:
    """Set a cookie with as many file names of the batch as fit, sent back to `path` only."""
    names = [result.name[:NAME_LENGTH] for result in results]
    value = signing.dumps(names, salt=key, compress=True)
    while len(value) > MAX_COOKIE:
        names.pop()
        value = signing.dumps(names, salt=key, compress=True)
    response.set_cookie(
        NAMES_COOKIE,
        value,
        max_age=NAMES_SECONDS,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def read_batch(request: SignedInRequest, *, key: str) -> list[UploadResult]:
    """Return the current results, without scans that were deleted or that the user may not see.

    An unknown key gives an empty list.
    """
    rows: list[dict[str, Any]] = request.session.get(SESSION_KEY, {}).get(key, [])
    wanted = {row[field] for row in rows for field in ("scan", "earlier") if row[field]}
    scans = {str(scan.pk): scan for scan in visible_scans(request.user).filter(pk__in=wanted)}
    names = _names(request, key=key)
    results = [
        UploadResult(
            names[number] if number < len(names) else f"File {number + 1}",
            scan=scans.get(row["scan"]),
            earlier=scans.get(row["earlier"]),
            refusal=row["refusal"],
        )
        for number, row in enumerate(rows)
    ]
    return [result for result in results if result.scan or result.refusal]


def _names(request: SignedInRequest, *, key: str) -> list[str]:
    """Return the file names of this batch from the cookie; empty if the cookie is missing or of another batch."""
    try:
        names: list[str] = signing.loads(request.COOKIES.get(NAMES_COOKIE, ""), salt=key, max_age=NAMES_SECONDS)
    except signing.BadSignature:
        return []
    return names


def _row(result: UploadResult) -> dict[str, str]:
    return {
        "scan": str(result.scan.pk) if result.scan else "",
        "earlier": str(result.earlier.pk) if result.earlier else "",
        "refusal": result.refusal,
    }
