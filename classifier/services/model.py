"""Which models may be asked for."""

from django.conf import settings

from classifier.selectors.model import available_models
from classifier.services.errors import Invalid


def checked_model_name(name: str | None) -> str:
    """Return `name`, or the installation's default for `None` or "". Raises `Invalid` if there is no such model."""
    name = name or settings.MODEL
    known = available_models()
    if name not in known:
        raise Invalid(f"There is no model “{name}”. Available: {', '.join(known) or 'none'}.", code="unknown_model")
    return name
