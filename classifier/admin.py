"""Admin pages: manage users and teams, look up scans and analyses. They show no images."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from classifier.models import Analysis, Membership, Scan, ScanCount, Team, User, WorkerProcess
from classifier.models.scan_index import Facet
from classifier.queue.heartbeat import HEARTBEAT_TIMEOUT
from classifier.queue.state import queue_state
from classifier.services.account import replace_addresses

admin.site.site_header = admin.site.site_title = "BrainScan administration"
admin.site.index_title = "People, teams and the state of their scans"
# Staff sign in through the common sign-in page, which limits failed attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class MembershipInline(admin.TabularInline[Membership, Team]):
    """The members on a team's page."""

    model = Membership
    extra = 1
    autocomplete_fields = ("user",)
    readonly_fields = ("joined_at",)


class EmailForm(forms.ModelForm[User]):
    """An account form that requires a unique e-mail address, ignoring case."""

    def clean_email(self) -> str:
        """Reject an address that is already in use, because users sign in with it."""
        email: str = self.cleaned_data["email"]
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another account uses this e-mail address.")
        return email


class NewPersonForm(EmailForm, AdminUserCreationForm[User]):
    """Form for a new account."""


class PersonForm(EmailForm, UserChangeForm[User]):
    """Form for an existing account."""


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """Accounts. An account with scans cannot be deleted; clear “active” to close it."""

    form = PersonForm
    add_form = NewPersonForm
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Store the account. If the address changed, delete the old one."""
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            replace_addresses(obj)


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin[Team]):
    """Teams with their members."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    inlines = (MembershipInline,)


class FirstRows(Paginator[Any]):
    """Pages of the first `MAX_ROWS` rows: to count all of a million, or to skip most of them, takes too long."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows that are shown."""
        rows: Any = self.object_list
        return int(rows[: self.MAX_ROWS].count())


class ModelFilter(admin.SimpleListFilter):
    """Analyses of one model. The names come from the counts of scans: there are too many analyses to ask them."""

    title = parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the names of the models that current analyses have."""
        names = {Facet.parse(facet).model for facet in ScanCount.objects.values_list("facet", flat=True).distinct()}
        return [(name, name) for name in sorted(names) if name]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the analyses of the chosen model."""
        return queryset.filter(model_name=self.value()) if self.value() else queryset


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Read-only rows. Clinicians change and delete them on their own pages, which record events and remove files."""

    paginator = FirstRows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for everyone."""
        return False


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


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnlyAdmin):
    """Workers of the last day, with their state and measurements, below a summary of the queue."""

    STEPS = (
        ("queued_seconds", "waiting for a worker", "an analysis"),
        ("decode_seconds", "reading images", "a batch"),
        ("forward_seconds", "the network", "a batch"),
        ("write_seconds", "storing results", "a batch"),
    )

    list_display = (
        "worker",
        "alive",
        "model_name",
        "model_version",
        "engine",
        "started_at",
        "last_report",
        "succeeded",
        "failed",
        "released",
        "images_per_batch",
        "network_time",
    )
    fields = (
        ("host", "pid"),
        ("model_name", "model_version", "engine"),
        ("started_at", "last_report", "alive"),
        "loaded_models",
        ("succeeded", "failed", "released", "late"),
        "images_per_batch",
        "times",
    )
    # Read-only pages show methods only if they are listed here.
    readonly_fields = (
        "alive",
        "loaded_models",
        "last_report",
        "succeeded",
        "failed",
        "released",
        "late",
        "images_per_batch",
        "times",
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the workers below a summary of the queue."""
        state = queue_state()
        line = f"{state.queued:,} queued, {state.running:,} running"
        if state.oldest_seconds:
            line += f", the oldest waiting for {_span(state.oldest_seconds)}"
        if state.expired_leases:
            line += f", {state.expired_leases:,} left behind by their worker"
        return super().changelist_view(request, {"subtitle": line, **(extra_context or {})})

    @admin.display(ordering="host")
    def worker(self, row: WorkerProcess) -> str:
        """Return the name of the process, as in `/metrics`."""
        return f"{row.host}:{row.pid}"

    @admin.display(boolean=True)
    def alive(self, row: WorkerProcess) -> bool:
        """Return True if its last heartbeat is recent."""
        return row.heartbeat_at >= timezone.now() - timedelta(seconds=HEARTBEAT_TIMEOUT)

    @admin.display(ordering="heartbeat_at")
    def last_report(self, row: WorkerProcess) -> str:
        """Return the time since its last heartbeat."""
        return str(naturaltime(row.heartbeat_at))

    @admin.display
    def succeeded(self, row: WorkerProcess) -> int:
        """Return the number of attempts that gave a result."""
        return _finished(row, "succeeded")

    @admin.display
    def failed(self, row: WorkerProcess) -> int:
        """Return the number of attempts that ended with a permanent error."""
        return _finished(row, "failed")

    @admin.display(description="given back")
    def released(self, row: WorkerProcess) -> int:
        """Return the number of attempts with a transient error, after which the analysis was queued again or failed."""
        return _finished(row, "released")

    @admin.display(description="too late")
    def late(self, row: WorkerProcess) -> int:
        """Return the number of attempts whose analysis was deleted or claimed by another worker meanwhile."""
        return _finished(row, "late")

    @admin.display(description="images a batch", empty_value="–")
    def images_per_batch(self, row: WorkerProcess) -> str | None:
        """Return the mean number of images per forward pass since its start."""
        mean = _mean(row, "batch_size")
        return None if mean is None else f"{mean:.1f}"

    @admin.display(description="loaded models", empty_value="–")
    def loaded_models(self, row: WorkerProcess) -> str | None:
        """Return the models that it holds in memory, with their sizes."""
        loaded = row.measurements.get("models", {})
        parts = (f"{name} {entry['version']} ({entry['bytes'] / 2**20:.0f} MiB)" for name, entry in loaded.items())
        return ", ".join(parts) or None

    @admin.display(description="network, a batch", empty_value="–")
    def network_time(self, row: WorkerProcess) -> str | None:
        """Return the mean time of a forward pass since its start."""
        mean = _mean(row, "forward_seconds")
        return None if mean is None else _span(mean)

    @admin.display(description="mean times", empty_value="–")
    def times(self, row: WorkerProcess) -> SafeString | None:
        """Return the mean time of each step since its start."""
        means = [(words, each, _mean(row, name)) for name, words, each in self.STEPS]
        rows = [(words, _span(mean), each) for words, each, mean in means if mean is not None]
        if not rows:
            return None
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} {}</li>", rows))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _finished(row: WorkerProcess, result: str) -> int:
    return int(row.measurements.get("finished", {}).get(result, 0))


def _mean(row: WorkerProcess, name: str) -> float | None:
    """Return the mean of a measurement; None if there are no observations yet."""
    histogram = row.measurements.get(name) or {"count": 0}
    return histogram["sum"] / histogram["count"] if histogram["count"] else None


def _span(seconds: float) -> str:
    """Return a duration for people, in a suitable unit."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.0f} min"
