"""Choice of a model: validation of names, and the default of the installation."""

import structlog
from django.db import transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import Event, Installation, Team, User
from classifier.selectors.model import available_models, default_model
from classifier.services.errors import Invalid, NotAllowed

logger = structlog.get_logger(__name__)


def checked_model_name(name: str | None, *, team: Team | None = None) -> str:
    """Return `name`, or the default for None or "". Raise `Invalid` if the model does not exist.

    Args:
        name: The model that was asked for.
        team: The team of the scan, whose default comes before that of the installation.
    """
    name = name or default_model(team)
    known = available_models()
    if name not in known:
        raise Invalid(f"There is no model “{name}”. Available: {', '.join(known) or 'none'}.", code="unknown_model")
    return name


def set_installation_model(*, by: User, model: str) -> None:
    """Make a model the default of the installation, for everyone whose team has no default. Staff only.

    Args:
        by: The person who asks.
        model: The name of an installed model; "" returns to the setting `MODEL`.

    Raises:
        Invalid: If the model does not exist.
        NotAllowed: If `by` is not a member of staff.
    """
    if not by.is_staff:
        raise NotAllowed("Only administrators can change the default model of the installation.")
    model = checked_model_name(model) if model else ""
    Installation.objects.update_or_create(
        pk=Installation.ONLY, defaults={"default_model": model, "changed_by": by, "changed_at": timezone.now()}
    )
    logger.info("default_model_changed", model=model, by=by.pk)


def record_model_version(model: str, version: str) -> None:
    """Record the version of a model that a worker has started with, and an event if it is another than before."""
    with transaction.atomic():
        Installation.objects.get_or_create(pk=Installation.ONLY)
        row = Installation.objects.select_for_update().get(pk=Installation.ONLY)
        before = row.model_versions.get(model)
        if before == version:
            return
        row.model_versions[model] = version
        row.save(update_fields=["model_versions"])
        if before is not None:
            payload = {"model": model, "before": before, "version": version}
            record_events([Event(kind=Kind.MODEL_CHANGED, payload=payload)])
