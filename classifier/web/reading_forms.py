"""Forms about a scan: impression, review, and diagnosis. They keep what a person typed when they are refused."""

from typing import Any

from django import forms
from django.utils import timezone

from classifier.models import Analysis, Certainty, Diagnosis, Review
from classifier.models.review import MAX_COMMENT, READING_CHOICES
from classifier.web.forms import StyledForm


class Radios(forms.RadioSelect):
    """Radio buttons in Bootstrap's style."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(attrs={"class": "form-check-input"}, **kwargs)


def _choice(label: str, choices: Any, message: str, **kwargs: Any) -> forms.ChoiceField:
    errors = {"required": message, "invalid_choice": message}
    return forms.ChoiceField(label=label, choices=choices, error_messages=errors, widget=Radios(), **kwargs)


def _finding(label: str, **kwargs: Any) -> forms.ChoiceField:
    return _choice(label, READING_CHOICES, "Choose a finding.", **kwargs)


class ReadingForm(StyledForm):
    """Base of the forms about a scan.

    Attributes:
        seen: number of earlier statements that the page shows, so that a stale page is noticed.
    """

    kind = ""
    comment = forms.CharField(
        label="Comment",
        required=False,
        max_length=MAX_COMMENT,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"max_length": f"A comment has at most {MAX_COMMENT} characters; this one has %(show_value)d."},
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, auto_id=f"{self.kind}_%s", **kwargs)

    def show_seen(self, number: int) -> None:
        """Show that the page now lists `number` earlier statements."""
        if self.is_bound:
            self.data = {**{name: self.data.get(name) for name in self.data}, "seen": str(number)}
        else:
            self.initial["seen"] = number

    def statement(self) -> dict[str, Any]:
        """Return the cleaned values without `seen`."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}


class ImpressionForm(ReadingForm):
    """A reader's impression, given before the result is opened."""

    kind = "impression"
    finding = _finding("What do you see?")
    certainty = _choice("How certain are you?", Certainty.choices, "Choose how certain you are.")
    field_order = ("finding", "certainty", "comment")


class ReviewForm(ReadingForm):
    """A verdict on an analysis."""

    kind = "review"
    verdict = _choice("Your verdict", Review.Verdict.choices, "Choose whether you agree with the result or correct it.")
    finding = _finding("Corrected finding", required=False)
    certainty = _choice("How certain are you?", Certainty.choices, "Choose how certain you are.")
    field_order = ("verdict", "finding", "certainty", "comment")

    def __init__(self, data: Any = None, *, analysis: Analysis, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.analysis = analysis
        others = [(name, label) for name, label in READING_CHOICES if name != analysis.finding]
        field = self.fields["finding"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = others

    def clean(self) -> dict[str, Any]:
        """Require a finding with a correction."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("verdict") == Review.Verdict.CORRECT and not cleaned.get("finding") and "finding" in cleaned:
            self.add_error("finding", "Choose the finding that the scan shows.")
        return cleaned


class DiagnosisForm(ReadingForm):
    """A confirmed diagnosis."""

    kind = "diagnosis"
    finding = forms.ChoiceField(
        label="Diagnosis",
        choices=[("", "Choose"), *READING_CHOICES],
        error_messages={"required": "Choose the diagnosis.", "invalid_choice": "Choose the diagnosis."},
    )
    source = forms.ChoiceField(
        label="Confirmed by",
        choices=[("", "Choose"), *Diagnosis.Source.choices],
        error_messages={
            "required": "Choose what confirmed the diagnosis.",
            "invalid_choice": "Choose what confirmed the diagnosis.",
        },
    )
    confirmed_on = forms.DateField(
        label="Date",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Enter the date of the diagnosis.", "invalid": "Enter a date as YYYY-MM-DD."},
    )
    field_order = ("finding", "source", "confirmed_on", "comment")

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["confirmed_on"].widget.attrs["max"] = timezone.localdate().isoformat()
