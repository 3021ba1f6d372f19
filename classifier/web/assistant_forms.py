"""Forms of the assistant: providers for staff, and the choice of a person on the page of a scan."""

from typing import Any

from django import forms

from classifier.assistant.allowlist import CHECK_LABEL, FIELDS, IMAGE_LABEL, NEVER
from classifier.assistant.builtin import PROVIDER
from classifier.assistant.look_words import look_of
from classifier.models import AssistantProvider, Scan, User
from classifier.selectors.conversation import conversations_of
from classifier.selectors.explanation import enabled_providers, explanations_of
from classifier.web.forms import StyledForm, style


class ProviderForm(forms.ModelForm[AssistantProvider]):
    """A provider of a language model. The key is written, never shown."""

    key = forms.CharField(
        label="API key",
        required=False,
        max_length=400,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text="Stored encrypted and never shown again. Leave empty to keep the stored key, unless the URL changes.",
    )

    field_order = ("name", "kind", "model", "url", "key")

    class Meta:
        model = AssistantProvider
        fields = (
            "name",
            "kind",
            "model",
            "url",
            "requests_per_hour",
            "max_tokens",
            "timeout_seconds",
            "image_allowed",
            "picture_check",
            "enabled",
        )
        labels = {  # noqa: RUF012 - as Django documents it
            "kind": "Interface",
            "url": "URL",
            "requests_per_hour": "Requests per person per hour",
            "max_tokens": "Maximum answer length, in tokens",
            "timeout_seconds": "Time limit for an answer, in seconds",
            "image_allowed": "The image may be sent, if the person includes it",
            "picture_check": "Check statements about the image (two more requests for each explanation with it)",
            "enabled": "People may choose this provider",
        }

        help_texts = {  # noqa: RUF012 - the labels say it
            "requests_per_hour": "",
            "max_tokens": "",
            "timeout_seconds": "",
            "picture_check": "",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            style(field)
        if self.instance.from_environment:
            for name in ("name", "kind", "model", "url", "key"):
                self.fields[name].disabled = True
            self.fields["key"].help_text = "The environment sets this provider's name, model, URL, and key."

    @property
    def values(self) -> dict[str, Any]:
        """The fields for the service, without the key."""
        return {name: value for name, value in self.cleaned_data.items() if name != "key"}

    @property
    def new_key(self) -> str | None:
        """The key that was entered; None if none was."""
        return self.cleaned_data["key"] or None

    def _post_clean(self) -> None:
        """Leave the instance as it is: the service changes it and validates the values again."""


class ExplainForm(StyledForm):
    """The choice of a provider for an explanation, and whether the image is sent."""

    provider = forms.ChoiceField(label="Language model")
    with_image = forms.BooleanField(label="Send the image, too", required=False)

    def __init__(self, *args: Any, providers: list[AssistantProvider], chosen: str, image: bool, **kwargs: Any) -> None:
        names = [provider.name for provider in providers]
        choices = [(name, _choice(provider)) for name, provider in zip(names, providers, strict=True)]
        initial = {"provider": chosen if chosen in names else names[0], "with_image": image}
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["provider"] = forms.ChoiceField(label="Language model", choices=choices)
        style(self.fields["provider"])
        if not any(provider.image_allowed for provider in providers):
            del self.fields["with_image"]
        elif any(provider.image_allowed and provider.picture_check for provider in providers):
            self.fields["with_image"].help_text = CHECK_COST


CHECK_COST = (
    "An explanation with the image makes two more requests: its statements about the picture are asked again with a "
    "blank and with the mirrored picture."
)
MOST_SHOWN = 5


def _choice(provider: AssistantProvider) -> str:
    return f"{provider.name}: {provider.model}" + ("" if provider.image_allowed else " (without the image)")


def written_of(user: User, scan: Scan) -> dict[str, Any]:
    """Return the template variables of `web/_assistant.html`; nothing while there is no open result.

    Without an enabled provider there is no form, and without earlier explanations there is nothing to show.
    """
    analysis = scan.current_analysis
    if scan.closed or analysis is None or not analysis.outcome:
        return {}
    rows = explanations_of(user, scan).filter(analysis=analysis).exclude(provider=PROVIDER)[:MOST_SHOWN]
    providers = list(enabled_providers())
    form = None
    if providers:
        form = ExplainForm(providers=providers, chosen=user.assistant_provider, image=user.assistant_image)
    return {
        "written_rows": [(row, look_of(row)) for row in rows],
        "conversations": list(conversations_of(user, scan)),
        "explain_form": form,
        "sent_fields": FIELDS,
        "image_label": IMAGE_LABEL,
        "check_label": CHECK_LABEL,
        "never_sent": NEVER,
    }
