"""Forms of the pages. They report what a person can correct at once; the services validate everything again."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet

from classifier.inspection import Margins
from classifier.models import Team, User, lengths
from classifier.models.scan import MAX_NOTES
from classifier.privacy import HINT, looks_identifying
from classifier.selectors.team import teams_of
from classifier.services.batch import MAX_BATCH_FILES
from classifier.services.scan import PATIENT_REFERENCE
from classifier.web.widgets import PlainSelect

MAX_MARGIN = 90
"""Percent of an image that one border may take."""
PATIENT_REFERENCE_HELP = "A pseudonym, never a name or a date of birth."


class StyledForm(forms.Form):
    """A form whose widgets carry Bootstrap's classes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            style(field)


def style(field: forms.Field) -> None:
    """Set the CSS class of the widget of `field`, and let it take a text of any length."""
    if isinstance(field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
        name = "form-check-input"
    elif isinstance(field.widget, forms.Select):
        name = "form-select"
    else:
        name = "form-control"
        # A browser cuts a pasted text at this length without a word; the server says that the text is too long.
        field.widget.attrs.pop("maxlength", None)
    field.widget.attrs.setdefault("class", name)


class TeamField(forms.ModelChoiceField[Team]):
    """One of the user's teams, or the team that the scan is shared with."""

    present: Team | None = None

    def offer(self, teams: QuerySet[Team], *, present: Team | None) -> None:
        """Offer `teams`, and `present` even when it is not one of them."""
        self.queryset, self.present = teams, present
        if present is not None and present not in teams:
            self.choices = [("", self.empty_label), *((team.pk, str(team)) for team in [*teams, present])]

    def to_python(self, value: Any) -> Team | None:
        """Return the chosen team."""
        if self.present is not None and str(value) == str(self.present.pk):
            return self.present
        return super().to_python(value)


class ScanFieldsForm(StyledForm):
    """The patient reference and notes of a scan, and the team that can see it.

    `shared_with` is the scan's current team. It remains a choice after the user has left that team; otherwise saving
    the form would unshare the scan.
    """

    patient_reference = forms.CharField(
        label="Patient reference",
        required=False,
        max_length=lengths.PATIENT_REFERENCE,
        error_messages={
            "max_length": f"A patient reference has at most {lengths.PATIENT_REFERENCE} characters; this one has "
            "%(show_value)d."
        },
        help_text=PATIENT_REFERENCE_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    is_pseudonym = forms.BooleanField(
        label="The patient reference is a pseudonym", required=False, widget=forms.CheckboxInput
    )
    team = TeamField(label="Visible to", required=False, queryset=Team.objects.none(), empty_label="Only me")
    notes = forms.CharField(
        label="Notes",
        required=False,
        max_length=MAX_NOTES,
        error_messages={"max_length": f"Notes have at most {MAX_NOTES} characters; these have %(show_value)d."},
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, user: User, shared_with: Team | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, TeamField)
        field.offer(teams_of(user), present=shared_with)

    def clean_patient_reference(self) -> str:
        """Validate the characters of the pseudonym before any file is read."""
        reference = " ".join(self.cleaned_data["patient_reference"].split())
        if not PATIENT_REFERENCE.fullmatch(reference):
            raise forms.ValidationError(
                "Use only letters, digits, spaces, and . / # : + - _. Enter a pseudonym, never a name."
            )
        return reference

    def clean(self) -> dict[str, Any]:
        """Ask about a reference that looks like a name or a date of birth, before it is stored."""
        values = super().clean() or {}
        reference = values.get("patient_reference", "")
        changed = reference != self.initial.get("patient_reference", "")
        if changed and not values.get("is_pseudonym") and looks_identifying(reference):
            self.add_error("patient_reference", f"{HINT} If it is one, check “{self.fields['is_pseudonym'].label}”.")
        # A question of the page, not a field of the scan.
        values.pop("is_pseudonym", None)
        return values

    @property
    def asks_about_reference(self) -> bool:
        """Whether the question about the patient reference is shown."""
        return bool(self.is_bound and self.data.get("is_pseudonym")) or "patient_reference" in self.errors


class UploadForm(ScanFieldsForm):
    """The fields beside the files of an upload.

    `upload_key` is generated with the page, so that a form sent twice, by a double click or a reload, stores its files
    once. `batch` identifies the batch of several files, `number` the place of a single file in it: the script sends
    each file in a request of its own.
    """

    blank_text = forms.BooleanField(
        label="Blank out text outside the head before the image is stored",
        required=False,
        widget=forms.CheckboxInput,
        help_text="For images with a burned-in name or date. Text that touches the head stays.",
    )
    model = forms.ChoiceField(label="Model", required=False)
    upload_key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    batch = forms.UUIDField(required=False, widget=forms.HiddenInput)
    number = forms.IntegerField(required=False, min_value=1, max_value=MAX_BATCH_FILES, widget=forms.HiddenInput)

    def __init__(self, *args: Any, models: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(models) > 1:
            choices = [("", "Default model"), *models]
            self.fields["model"] = forms.ChoiceField(label="Model", required=False, choices=choices)
            style(self.fields["model"])
        else:
            # One model leaves nothing to choose.
            del self.fields["model"]


class CropForm(StyledForm):
    """The borders to cut off an image, in percent of its height or width."""

    top, bottom, left, right = (
        forms.IntegerField(label=f"{side} (%)", min_value=0, max_value=MAX_MARGIN)
        for side in ("Top", "Bottom", "Left", "Right")
    )

    @property
    def margins(self) -> Margins:
        """The margins of a valid form."""
        return Margins(**self.cleaned_data)


class TeamForm(StyledForm):
    """The name of a team."""

    name = forms.CharField(
        label="Team name",
        max_length=lengths.GIVEN_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class TeamModelForm(StyledForm):
    """The model for scans of a team."""

    model = forms.ChoiceField(label="Model", required=False)

    def __init__(self, *args: Any, models: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["model"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Default of this installation"), *models]


class MemberForm(StyledForm):
    """A person to add to a team."""

    identifier = forms.CharField(
        label="User name or e-mail address",
        max_length=lengths.EMAIL,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class StatisticsForm(StyledForm):
    """The filters of the statistics. An invalid one is reported and does not filter."""

    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, empty_label="All scans visible to you", widget=PlainSelect
    )
    uploaded_after = forms.DateField(
        required=False, label="Uploaded from", widget=forms.DateInput(attrs={"type": "date"})
    )
    uploaded_before = forms.DateField(
        required=False, label="Uploaded to", widget=forms.DateInput(attrs={"type": "date"})
    )
    model = forms.CharField(
        required=False, max_length=lengths.MODEL_AND_VERSION, label="Model version", widget=PlainSelect()
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = teams_of(user)  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """Return the valid filters."""
        self.is_valid()
        return {name: value for name in self.fields if (value := self.cleaned_data.get(name))}

    def offer_models(self, models: Sequence[str]) -> None:
        """Offer the model versions that occur, and the one that is chosen."""
        asked = str(self.data.get("model", ""))
        names = [*models, *([asked] if asked and asked not in models else [])]
        self.fields["model"].widget.choices = [  # type: ignore[attr-defined]
            ("", "Newest answer of each scan"),
            *((name, name.replace(":", " ", 1)) for name in names),
        ]
