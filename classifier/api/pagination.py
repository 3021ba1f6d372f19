"""Pages of lists: a deep page costs as much as the first."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from classifier.api.queries import MAX_PAGE_SIZE, PAGE_SIZE
from classifier.selectors.lists.criteria import Place
from classifier.selectors.lists.pages import page_of

NO_PAGE = "There is no such page."


class CursorPages(CursorPagination):
    """Pages of the length that `PageQuery` accepts. Subclasses give the order of their rows."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE
    invalid_cursor_message = NO_PAGE


class NewestFirst(CursorPages):
    """Pages between two rows of a list that can be loaded from a place on, such as `ScanList`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return a page. Raise `NotFound` for a cursor that this API did not create."""
        self.request, self.base_url = request, request.build_absolute_uri()
        word = request.query_params.get(self.cursor_query_param, "")
        place = Place.decode(word) if word else None
        if word and place is None:
            raise NotFound(NO_PAGE)
        found = page_of(queryset, length=self.get_page_size(request) or PAGE_SIZE, place=place)
        self._newer, self._older = found.newer, found.older
        return found.rows

    def get_next_link(self) -> str | None:
        """Return the URL of the page with older rows."""
        return self._link(self._older)

    def get_previous_link(self) -> str | None:
        """Return the URL of the page with newer rows."""
        return self._link(self._newer)

    def _link(self, cursor: str) -> str | None:
        return str(replace_query_param(str(self.base_url), self.cursor_query_param, cursor)) if cursor else None
