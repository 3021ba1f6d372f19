"""Scans and analyses."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from classifier.admin.read_only import ReadOnlyAdmin
from classifier.models import Analysis, Scan, ScanCount, User
from classifier.models.scan_index import Facet


class ModelFilter(admin.SimpleListFilter):
    """Analyses of one model. The names come from the counts of scans: there are too many analyses to query."""

    title = parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the names of the models that current analyses have."""
        names = {Facet.parse(facet).model for facet in ScanCount.objects.values_list("facet", flat=True).distinct()}
        return [(name, name) for name in sorted(names) if name]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the analyses of the chosen model."""
        return queryset.filter(model_name=self.value()) if self.value() else queryset


@admin.register(Scan)
class ScanAdmin(ReadOnlyAdmin):
    """Scans without their images, patient references and notes, which only clinicians may see."""

    list_display = ("short_id", "owner", "team", "source_format", "width", "height", "created_at")
    list_filter = ("source_format", "created_at")
    # Not joined: SQLite would then read all scans of every person.
    list_select_related = False
    search_fields = ("id",)
    search_help_text = "The identifier of a scan, or the user name of its owner."
    fields = ("id", "owner", "team", "source_format", "width", "height", "sample", "created_at", "current_analysis")
    # Counting millions of rows would dominate the time of every page.
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the scans with their owners and teams, read separately."""
        return super().get_queryset(request).prefetch_related("owner", "team")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Return the scan with this identifier, or the scans of the person with this user name."""
        if not search_term:
            return queryset, False
        key = _uuid(search_term)
        owner = User.objects.filter(username__iexact=search_term)
        return queryset.filter(pk=key) if key else queryset.filter(owner__in=owner), False


@admin.register(Analysis)
class AnalysisAdmin(ReadOnlyAdmin):
    """Analyses with their state and the reason for a failure."""

    list_display = (
        "id",
        "state",
        "attempts",
        "failure_code",
        "model_name",
        "model_version",
        "queued_at",
        "finished_at",
    )
    list_filter = ("state", "queued_at", ModelFilter)
    search_fields = ("id",)
    search_help_text = "The identifier of an analysis, or of a scan."
    fields = (
        ("scan", "requested_by"),
        ("model_name", "model_version"),
        ("state", "attempts"),
        ("failure_code", "failure_message"),
        ("queued_at", "started_at", "finished_at"),
        "milliseconds",
    )
    show_full_result_count = False

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Return the analysis, or the analyses of the scan, with this identifier."""
        if not search_term:
            return queryset, False
        key = _uuid(search_term)
        return queryset.filter(Q(pk=key) | Q(scan=key)) if key else queryset.none(), False


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
