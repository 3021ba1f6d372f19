"""Accounts and teams."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from classifier.models import Membership, Team, User
from classifier.services.account import replace_addresses


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
