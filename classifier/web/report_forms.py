"""Forms of reports and their templates."""

from typing import Any

from django import forms

from classifier.models import Membership, ReportTemplate, Team, User, lengths
from classifier.models.report import MAX_ADDENDUM, MAX_TEXT, TEXTS
from classifier.selectors.team import teams_of
from classifier.web.forms import StyledForm

ROWS = {"findings": 6, "impression": 4, "recommendation": 3}


def _text(name: str, *, help_text: str = "") -> forms.CharField:
    # Without `strip`, a text comes back as it was typed when another field is wrong.
    widget = forms.Textarea(attrs={"rows": ROWS[name], "spellcheck": "true"})
    return forms.CharField(
        label=name.capitalize(),
        required=False,
        max_length=MAX_TEXT,
        strip=False,
        widget=widget,
        help_text=help_text,
    )


class ReportForm(StyledForm):
    """The texts of a report. `version` is that of the draft that the form showed; 0 without one."""

    findings = _text("findings")
    impression = _text("impression", help_text="Needed to sign.")
    recommendation = _text("recommendation")
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    @property
    def texts(self) -> dict[str, str]:
        """The texts of a valid form."""
        return {name: self.cleaned_data[name] for name in TEXTS}


class TemplateForm(StyledForm):
    """A template: its name, who may use it, and its texts."""

    name = forms.CharField(
        label="Name", max_length=lengths.GIVEN_NAME, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    team = forms.ModelChoiceField(
        label="Usable by", required=False, queryset=Team.objects.none(), empty_label="Only me"
    )
    findings = _text("findings")
    impression = _text("impression")
    recommendation = _text("recommendation")

    def __init__(self, *args: Any, user: User, template: ReportTemplate | None = None, **kwargs: Any) -> None:
        if template is not None:
            kwargs["initial"] = {"name": template.name, "team": template.team_id, **template.texts}
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = teams_of(user).filter(memberships__user=user, memberships__role=Membership.Role.OWNER)
        if template is not None:
            # A template stays with its person or team: others may have come to rely on it.
            del self.fields["team"]

    @property
    def texts(self) -> dict[str, str]:
        """The texts of a valid form."""
        return {name: self.cleaned_data[name] for name in TEXTS}


class AddendumForm(StyledForm):
    """An addendum. `seen` is the number of addenda that the page showed."""

    text = forms.CharField(
        label="Text",
        max_length=MAX_ADDENDUM,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "true"}),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class PatientForm(StyledForm):
    """The patient reference whose scans are listed in one table."""

    patient_reference = forms.CharField(
        label="Patient reference",
        error_messages={"required": "Enter a patient reference."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class VerifyForm(StyledForm):
    """The number or hash of a printed report."""

    code = forms.CharField(
        label="Report number or SHA-256",
        max_length=200,
        error_messages={"required": "Enter the number or the hash of a report."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
