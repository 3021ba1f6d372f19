"""Forms of the profile: the person, and access for programs."""

from functools import cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from classifier.models import User, lengths
from classifier.models.webhook import MAX_URL
from classifier.services.webhook import EVENTS as WEBHOOK_EVENTS
from classifier.web.forms import StyledForm, style


@cache
def _time_zones() -> tuple[str, ...]:
    """Return the names of all time zones. They are read from hundreds of files."""
    return tuple(sorted(available_timezones()))


class LongSelect(forms.Select):
    """A choice among hundreds, written without a template for each: all time zones would take most of a page's time."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """Return the element with its options."""
        chosen = {str(value)} if value is not None else {""}
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((key, SafeString(" selected" if str(key) in chosen else ""), label) for key, label in self.choices),
        )
        of_element = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>\n{}\n</select>", flatatt(of_element), options)


class TokenForm(StyledForm):
    """A new API token."""

    name = forms.CharField(
        label="Name",
        max_length=lengths.GIVEN_NAME,
        help_text="The program that will use it, for example “PACS export”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.ChoiceField(
        label="Valid for",
        required=False,
        choices=[("", "No limit"), ("30", "30 days"), ("90", "90 days"), ("365", "1 year")],
    )


class WebhookForm(StyledForm):
    """A new webhook."""

    url = forms.CharField(
        label="URL",
        max_length=MAX_URL,
        help_text="The program that receives the messages, for example https://ris.example.org/brainscan.",
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label="Send a message when", choices=list(WEBHOOK_EVENTS.items()), widget=forms.CheckboxSelectMultiple
    )


class ProfileForm(forms.ModelForm[User]):
    """The user's name and e-mail address. A new address requires the password, because it can reset the password."""

    # Declared here, not by the model: the service decides whether the address is in use.
    email = forms.EmailField(
        label="E-mail address",
        max_length=lengths.EMAIL,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        required=False,
        widget=LongSelect,
        choices=lambda: [("", "As in the browser"), *((name, name) for name in _time_zones())],
    )
    current_password = forms.CharField(
        label="Current password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Required only to change the e-mail address.",
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "time_zone")
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["email"] = self.instance.email
        for field in self.fields.values():
            style(field)

    def clean(self) -> dict[str, Any]:
        """Require the password when the address changes."""
        cleaned = super().clean() or self.cleaned_data
        changes = "email" in cleaned and "email" in self.changed_data
        if changes and not self.instance.check_password(cleaned.get("current_password", "")):
            self.add_error("current_password", "Enter your current password to change the e-mail address.")
        return cleaned
