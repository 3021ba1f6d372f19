"""Validation of model names."""

from django.conf import settings

from classifier.selectors.model import available_models
from classifier.services.errors import Invalid


def checked_model_name(name: str | None) -> str:
    """Return `name`, or the installation's default for None or "". Raise `Invalid` if the model does not exist."""
    name = name or settings.MODEL
    known = available_models()
    if name not in known:
        raise Invalid(f"There is no model “{name}”. Available: {', '.join(known) or 'none'}.", code="unknown_model")
    return name
