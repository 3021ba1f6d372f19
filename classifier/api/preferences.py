"""The `Prefer` header (RFC 7240)."""

import re

MAX_WAIT_SECONDS = 30

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d+)\"?\s*(?=$|[,;])", re.IGNORECASE)


def wait_seconds(header: str) -> int:
    """Return N of `wait=N`, at most 30. Return 0 if it is missing or invalid."""
    match = _WAIT.search(header)
    if match is None:
        return 0
    digits = match.group(1).lstrip("0") or "0"
    return MAX_WAIT_SECONDS if len(digits) > 2 else min(int(digits), MAX_WAIT_SECONDS)
