"""URLs of rows, for lists that show many of them."""

from functools import lru_cache
from uuid import UUID

from django.urls import get_script_prefix, reverse

_ANY = UUID(int=0)


def url_of(name: str, key: UUID) -> str:
    """Return what `reverse(name, args=[key])` returns. The name is resolved once for all rows."""
    before, after = _around(name, get_script_prefix())
    return f"{before}{key}{after}"


@lru_cache(maxsize=256)
def _around(name: str, _prefix: str) -> tuple[str, str]:
    """Return what stands before and after the key. The prefix is of the request, and `reverse` reads it by itself."""
    before, _, after = reverse(name, args=[_ANY]).partition(str(_ANY))
    return before, after
