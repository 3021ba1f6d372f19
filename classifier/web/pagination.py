"""Pages of lists. Every view with a list reads its place in it here."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page as NumberedPage
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from classifier.selectors.lists.criteria import Place
from classifier.selectors.lists.pages import Page, Row, RowList, page_of

PAGE_LENGTH = 25
"""Rows with thumbnails: about one screen, which loads quickly on a slow connection."""

TEXT_PAGE_LENGTH = 50
"""Rows of one line of text."""


def keyset_page(found: RowList[Row], *, cursor: str) -> Page[Row]:
    """Return the page at a cursor; the first page for an empty or invalid cursor."""
    return page_of(found, length=PAGE_LENGTH, place=Place.decode(cursor) if cursor else None)


def numbered_page(rows: Sequence[Any] | QuerySet[Any], request: HttpRequest, *, length: int) -> NumberedPage[Any]:
    """Return the page whose number is the query parameter `page`; the first page without a valid one."""
    return Paginator(rows, length).get_page(request.GET.get("page"))
