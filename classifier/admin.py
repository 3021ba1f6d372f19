"""Staff pages: people and teams to manage, scans and analyses to look up. No image is shown here."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from classifier.models import Analysis, Membership, Scan, Team, User
from classifier.services.account import replace_addresses

admin.site.site_header = admin.site.site_title = "BrainScan administration"
admin.site.index_title = "People, teams and the state of their scans"
# Staff sign in where everybody does, behind the same limits on failed attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class MembershipInline(admin.TabularInline[Membership, Team]):
    """The members on a team's page."""

    model = Membership
    extra = 1
    autocomplete_fields = ("user",)
    readonly_fields = ("joined_at",)


class EmailForm(forms.ModelForm[User]):
    """A form of an account whose address no other account has, in any spelling of its case."""

    def clean_email(self) -> str:
        """Refuse an address that is taken: people sign in with it."""
        email: str = self.cleaned_data["email"]
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another account uses this e-mail address.")
        return email


class NewPersonForm(EmailForm, AdminUserCreationForm[User]):
    """A new account."""


class PersonForm(EmailForm, UserChangeForm[User]):
    """An account."""


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """Accounts. One with scans cannot be deleted: close it by taking away “active”."""

    form = PersonForm
    add_form = NewPersonForm
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Store the account; with another address, forget the old one."""
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            replace_addresses(obj)


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin[Team]):
    """Teams with their members."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    inlines = (MembershipInline,)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows to look up. Clinicians change and delete them on their own pages, where it is recorded and undone right."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.register(Scan)
class ScanAdmin(ReadOnlyAdmin):
    """Scans without their images, references and notes: those are between clinicians."""

    list_display = ("short_id", "owner", "team", "source_format", "width", "height", "created_at")
    list_filter = ("source_format", "created_at")
    list_select_related = ("owner", "team")
    search_fields = ("id", "owner__username", "team__name")
    fields = ("id", "owner", "team", "source_format", "width", "height", "sample", "created_at", "current_analysis")
    # A count of millions of rows on every page would be slower than all the rest.
    show_full_result_count = False


@admin.register(Analysis)
class AnalysisAdmin(ReadOnlyAdmin):
    """Analyses: what waits, runs and fails, and why."""

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
    list_filter = ("state", "failure_code", "model_name", "queued_at")
    search_fields = ("id", "scan__id")
    fields = (
        ("scan", "requested_by"),
        ("model_name", "model_version"),
        ("state", "attempts"),
        ("failure_code", "failure_message"),
        ("queued_at", "started_at", "finished_at"),
        "milliseconds",
    )
    show_full_result_count = False
