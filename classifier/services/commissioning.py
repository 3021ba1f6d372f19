"""Start a commissioning."""

import structlog
from django.db import transaction

from classifier.acceptance.limits import Limits
from classifier.events import Kind, record_events
from classifier.inference.registry import ModelError
from classifier.models import Commissioning, Event, Team, User, lengths
from classifier.selectors.commissioning import open_commissionings
from classifier.selectors.model import model_card
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.model import checked_model_name
from classifier.services.team import require_owner

logger = structlog.get_logger(__name__)


def start_commissioning(team: Team, *, by: User, model: str, limits: Limits, title: str = "") -> Commissioning:
    """Start to measure a model in shadow mode. Owners of the team only. Model and limits never change afterwards.

    Args:
        team: The team whose cases are measured.
        by: An owner of the team.
        model: The name of an installed model. Its present version is measured.
        limits: What the model must reach.
        title: For people; "" for the name of the model.

    Raises:
        Invalid: If the model cannot be used, or the title is too long.
        NotAllowed: If `by` is not an owner of the team.
        Conflict: If the team measures this version already.
    """
    require_owner(team, by=by)
    title = " ".join(title.replace("\x00", "").split())
    if len(title) > lengths.GIVEN_NAME:
        raise Invalid(f"A title has at most {lengths.GIVEN_NAME} characters.", code="invalid_title")
    try:
        card = model_card(checked_model_name(model))
    except ModelError as error:
        raise Invalid("The card of this model is damaged.", code="unknown_model") from error
    if card is None:
        raise Invalid("This model was removed.", code="unknown_model")
    with transaction.atomic():
        lock_team(team)
        if open_commissionings(team).filter(model_name=card.name, model_version=card.version).exists():
            raise Conflict("A commissioning of this model version is open. Close it first.", code="already_open")
        commissioning = Commissioning.objects.create(
            team=team,
            title=title or f"{card.name} {card.version}",
            model_name=card.name,
            model_version=card.version,
            weights_sha256=card.weights.sha256,
            limits=limits.as_dict(),
            started_by=by,
        )
        payload = {"commissioning": str(commissioning.pk), "team": team.pk, "limits": limits.as_dict()}
        payload |= {"model": card.name, "model_version": card.version}
        record_events([Event(kind=Kind.COMMISSIONING_STARTED, actor=by, payload=payload)])
    logger.info("commissioning_started", commissioning=str(commissioning.pk), by=by.pk, model=card.name)
    return commissioning


def lock_team(team: Team) -> None:
    """Prevent other transactions from changing the team's commissionings. Raise `NotAllowed` if it was deleted."""
    if not Team.objects.filter(pk=team.pk).select_for_update().values_list("pk").first():
        raise NotAllowed("This team was deleted.")
