"""Reads of commissionings, scoped to the members of their team. While one is open, no read returns an answer of it."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from classifier.acceptance.limits import Limits
from classifier.events import Kind
from classifier.inference.registry import ModelCard, ModelError
from classifier.input_problems import blocking, codes
from classifier.models import AcceptanceReport, Analysis, Commissioning, CommissioningCase, Event, Team, User
from classifier.selectors.model import model_card


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a commissioning's analyses. It reveals none of their answers.

    Attributes:
        cases: Cases whose scan belongs to the team.
        waiting: Shadow analyses that are queued or running.
        succeeded: Those that have an answer.
        withheld: Of these, those whose image has a problem for which the input check withholds answers. Once the
            commissioning is closed, those that the report left out.
        failed: Those that failed or were canceled.
        moved: Cases whose scan was moved out of the team.
        lost: Cases whose scan was deleted.
    """

    cases: int
    waiting: int
    succeeded: int
    withheld: int
    failed: int
    moved: int
    lost: int


def commissionings_of(user: User) -> "QuerySet[Commissioning]":
    """Return the commissionings of the user's teams, newest first."""
    return Commissioning.objects.filter(team__in=user.memberships.values("team")).select_related(
        "team", "started_by", "report"
    )


def get_commissioning(user: User, commissioning_id: UUID) -> Commissioning:
    """Return a commissioning of one of the user's teams. Raise `Commissioning.DoesNotExist` for any other."""
    return commissionings_of(user).get(pk=commissioning_id)


def open_commissionings(team: Team) -> "QuerySet[Commissioning]":
    """Return the commissionings of a team that are not closed."""
    return Commissioning.objects.filter(team=team, report__isnull=True)


def limits_of(commissioning: Commissioning) -> Limits:
    """Return the limits that were set at its start."""
    return Limits.from_dict(commissioning.limits)


def cases_of(commissioning: Commissioning) -> "QuerySet[CommissioningCase]":
    """Return the cases whose scan still belongs to the team, in the order in which they were added."""
    return CommissioningCase.objects.filter(commissioning=commissioning, scan__team=commissioning.team_id)


def progress_of(commissioning: Commissioning) -> Progress:
    """Count the shadow analyses by their state."""
    active, ended = Q(analysis__state__in=Analysis.ACTIVE), Q(analysis__state=Analysis.State.SUCCEEDED)
    own = Q(scan__team=commissioning.team_id)
    counts = CommissioningCase.objects.filter(commissioning=commissioning).aggregate(
        cases=Count("pk", filter=own),
        moved=Count("pk", filter=~own),
        waiting=Count("pk", filter=own & active),
        succeeded=Count("pk", filter=own & ended),
        failed=Count("pk", filter=own & ~active & ~ended),
    )
    return Progress(
        **counts,
        withheld=_withheld(commissioning),
        lost=number_of_events(commissioning, Kind.COMMISSIONING_CASE_LOST),
    )


def _withheld(commissioning: Commissioning) -> int:
    """Count the analyzed cases with a problem of their image that withholds answers. It reveals no answer.

    The report of a closed commissioning says how many it left out: refusals are never withheld, and images may have
    been confirmed since.
    """
    report = AcceptanceReport.objects.filter(commissioning=commissioning).first()
    if report is not None:
        return int(report.content["counts"].get("withheld", 0))
    checked = cases_of(commissioning).filter(
        analysis__state=Analysis.State.SUCCEEDED, scan__input_accepted_at__isnull=True
    )
    found = checked.exclude(scan__input_problems=[]).values_list("scan__input_problems", flat=True)
    return sum(bool(blocking(codes(problems))) for problems in found)


def installed_card(commissioning: Commissioning) -> ModelCard | None:
    """Return the card of the version that is commissioned; None if it is no longer installed."""
    try:
        card = model_card(commissioning.model_name)
    except ModelError:
        return None
    same = card is not None and (card.version, card.weights.sha256) == (
        commissioning.model_version,
        commissioning.weights_sha256,
    )
    return card if same else None


def number_of_events(commissioning: Commissioning, kind: Kind) -> int:
    """Count what happened to the cases of a commissioning."""
    rows = Event.objects.filter(kind=kind, at__gte=commissioning.started_at)
    return rows.filter(payload__commissioning=str(commissioning.pk)).count()


def unmeasured(commissioning: Commissioning) -> "QuerySet[CommissioningCase]":
    """Return the cases whose shadow analysis failed or was canceled."""
    ended = (Analysis.State.FAILED, Analysis.State.CANCELLED)
    return cases_of(commissioning).filter(analysis__state__in=ended).select_related("scan", "analysis")


def answers_openly(commissioning: Commissioning) -> bool:
    """Return True if visible analyses of the cases come from the same version: its answers are then known."""
    return (
        cases_of(commissioning)
        .filter(
            scan__current_analysis__model_name=commissioning.model_name,
            scan__current_analysis__model_version=F("commissioning__model_version"),
        )
        .exists()
    )
