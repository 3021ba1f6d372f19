"""Absolute URLs in representations."""

from collections.abc import Mapping
from typing import Any, cast


def absolute(path: str, context: Mapping[str, Any]) -> str:
    """Return the absolute URL of a path on this server; the path itself without a request.

    Args:
        path: the path, with its slash.
        context: of the serializer. It keeps the beginning of the URLs, which is the same for all rows of a list.
    """
    kept = cast("dict[str, Any]", context)
    if "origin" not in kept:
        request = kept.get("request")
        kept["origin"] = "" if request is None else request.build_absolute_uri("/").removesuffix("/")
    return f"{kept['origin']}{path}"
