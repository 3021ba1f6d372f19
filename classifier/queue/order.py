"""The order in which queued analyses are claimed."""

from uuid import UUID

from django.db.models import Q

from classifier.models import Analysis, User

# A handful at once is somebody reading a patient's slices; more is an archive, and may wait behind others' handfuls.
BULK_FROM = 8
# Who stands farther back is told "queued": the number would change faster than it could be read.
POSITIONS = 1000


def place_in_line(by: User) -> tuple[int, bool]:
    """Where a new analysis of this person stands in the line: its turn, and whether it is one of many.

    Whoever has little waiting gets the turn that is being served; each further analysis of the same person gets the
    next one. So one person's five hundred wait for each other and not everybody for them, and nobody starves: a turn
    holds at most one analysis a person (start-time fair queueing; Goyal, Vin and Cheng, 1996, with equal weights).
    From the `BULK_FROM`th on they count as bulk and form a line of their own, so that the same person's single
    upload afterwards need not wait for the rest.
    """
    served = _turn_being_served()
    if served is None:
        return 0, False
    own = Analysis.objects.active().filter(requested_by=by)
    bulk = own.filter(bulk=False)[:BULK_FROM].count() == BULK_FROM
    last = own.filter(state=Analysis.State.QUEUED, bulk=bulk).order_by("-turn").values_list("turn", flat=True).first()
    return (served if last is None else max(served, last + 1)), bulk


def _turn_being_served() -> int | None:
    """`None` when nothing waits or runs."""
    active = Analysis.objects.active().values_list("turn", flat=True)
    first = active.filter(state=Analysis.State.QUEUED).order_by(*Analysis.LINE).first()
    return active.order_by("-turn").first() if first is None else first


def queue_position(analysis: Analysis) -> int:
    """How many queued analyses start before this one, plus one. 0 when it is not queued."""
    if analysis.state != Analysis.State.QUEUED:
        return 0
    before, equal = Q(), Q()
    for name in Analysis.LINE:
        value = getattr(analysis, name)
        before |= equal & Q(**{f"{name}__lt": value})
        equal &= Q(**{name: value})
    waiting = Analysis.objects.active().filter(state=Analysis.State.QUEUED)
    return waiting.filter(before).count() + 1


def queue_positions() -> dict[UUID, int]:
    """The places of the first `POSITIONS` queued analyses; one read for a whole list of uploads."""
    waiting = Analysis.objects.active().filter(state=Analysis.State.QUEUED)
    ordered = waiting.order_by(*Analysis.LINE).values_list("pk", flat=True)[:POSITIONS]
    return {pk: place for place, pk in enumerate(ordered, start=1)}
