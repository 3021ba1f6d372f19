"""Forms of the pages of a commissioning."""

from typing import Any

from django import forms

from classifier.acceptance.limits import AT_PREVALENCE, DEFAULT_LEAST_CASES, LIMITS, MAX_CASES, InvalidLimits, Limits
from classifier.models import lengths
from classifier.web.forms import StyledForm


class PercentField(forms.DecimalField):
    """A share in percent, as people write it: "95", "2.5"."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=100, decimal_places=2, required=False, **kwargs)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "step": "any"}


class CommissioningForm(StyledForm):
    """The start of a commissioning: model and limits."""

    model = forms.ChoiceField(label="Model")
    title = forms.CharField(
        label="Title",
        required=False,
        max_length=lengths.GIVEN_NAME,
        help_text="For example the scanner or the clinic whose cases you use.",
    )
    least_cases = forms.IntegerField(
        label="Minimum number of cases",
        min_value=1,
        max_value=MAX_CASES,
        initial=DEFAULT_LEAST_CASES,
        help_text="With fewer cases of known truth, no limit is judged.",
    )
    prevalence = PercentField(
        label="Prevalence at your site, in %",
        help_text="Share of images with a tumor among those that you will send to the model.",
    )

    def __init__(self, *args: Any, models: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = models  # type: ignore[attr-defined]
        for limit in LIMITS:
            self.fields[limit.key] = PercentField(label=f"{limit.label}, in %", help_text=limit.help)
            self.fields[limit.key].widget.attrs["class"] = "form-control"

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """The fields of the limits that need no prevalence."""
        return [self[limit.key] for limit in LIMITS if limit.key not in AT_PREVALENCE]

    @property
    def prevalence_fields(self) -> list[forms.BoundField]:
        """The prevalence, and the limits that need it."""
        return [self["prevalence"], *(self[key] for key in AT_PREVALENCE)]

    @property
    def uses_prevalence(self) -> bool:
        """Whether a field of `prevalence_fields` has a value or an error; such fields must not be folded away."""
        return any(field.value() or field.errors for field in self.prevalence_fields)

    def clean(self) -> dict[str, Any]:
        """Put the limits together."""
        values = super().clean() or {}
        if self.errors:
            return values

        def share(name: str) -> float | None:
            value = values.get(name)
            return None if value is None else float(value / 100)

        shares = {limit.key: share(limit.key) for limit in LIMITS}
        try:
            values["limits"] = Limits(
                {key: value for key, value in shares.items() if value is not None},
                least_cases=values["least_cases"],
                prevalence=share("prevalence"),
            )
        except InvalidLimits as error:
            raise forms.ValidationError(str(error)) from error
        return values
