"""Rows that the admin pages show and do not change."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property


class FirstRows(Paginator[Any]):
    """Pages of the first `MAX_ROWS` rows: to count all of a million, or to skip most of them, takes too long."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows that are shown."""
        rows: Any = self.object_list
        return int(rows[: self.MAX_ROWS].count())


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Read-only rows. Clinicians change and delete them on their own pages, which record events and remove files."""

    paginator = FirstRows
    # Rows take most of the time of a page. A hundred, the default, are more than fit a screen.
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False
