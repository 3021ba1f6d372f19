"""Pages of lists: a deep page costs as much as the first."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from classifier.api.queries import MAX_PAGE_SIZE
from classifier.selectors.lists.criteria import Place


class NewestFirst(CursorPagination):
    """Pages between two rows of a list that can be loaded from a place on, such as `ScanList`."""

    page_size = 50
    page_size_query_param = "page_size"
    # More rows would make one request hold a database connection for long.
    max_page_size = MAX_PAGE_SIZE

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return a page. Raise `NotFound` for a cursor that this API did not create."""
        self.request, self.base_url = request, request.build_absolute_uri()
        word = request.query_params.get(self.cursor_query_param, "")
        place = Place.decode(word) if word else None
        if word and place is None:
            raise NotFound("There is no such page.")
        length = self.get_page_size(request) or self.page_size
        rows = queryset.load(length + 1, place=place)
        more, rows = len(rows) > length, rows[:length]
        backwards = place is not None and place.newer
        if backwards:
            rows.reverse()
        self._newer = rows[0] if rows and (more if backwards else place is not None) else None
        self._older = rows[-1] if rows and (backwards or more) else None
        return list(rows)

    def get_next_link(self) -> str | None:
        """Return the URL of the page with older rows."""
        return self._link(self._older, newer=False)

    def get_previous_link(self) -> str | None:
        """Return the URL of the page with newer rows."""
        return self._link(self._newer, newer=True)

    def _link(self, row: Any, *, newer: bool) -> str | None:
        if row is None:
            return None
        cursor = Place(row.created_at, row.pk, newer=newer).encode()
        return str(replace_query_param(str(self.base_url), self.cursor_query_param, cursor))
