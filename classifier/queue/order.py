"""The order in which queued analyses are claimed: fair turns between people, and positions in the queue."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from classifier.models import Analysis, User

# A few uploads at once are one patient's slices. More are an archive, which can wait behind other people's few.
BULK_FROM = 8
# A position beyond this changes faster than a person can read it; such analyses show only "queued".
POSITIONS = 1000


def assign_fair_turn(by: User) -> tuple[int, bool]:
    """Return the fair turn of a new analysis requested by this person, and whether it counts as bulk.

    The first waiting analysis of a person gets the current turn; each further one gets the next. A turn therefore
    holds at most one analysis per person: one person's five hundred analyses do not block anyone else's, and nobody
    starves (start-time fair queueing with equal weights; Goyal, Vin and Cheng, 1996).

    From the `BULK_FROM`th waiting analysis on, a person's analyses count as bulk and get turns of their own, so that
    a later single upload of the same person does not wait for all of them.
    """
    current = _current_turn()
    if current is None:
        return 0, False
    own = Analysis.with_shadow.active().filter(requested_by=by)
    is_bulk = own.filter(bulk=False)[:BULK_FROM].count() == BULK_FROM
    queued = own.filter(state=Analysis.State.QUEUED, bulk=is_bulk).order_by("-fair_turn")
    last = queued.values_list("fair_turn", flat=True).first()
    return (current if last is None else max(current, last + 1)), is_bulk


def assign_shadow_turns(by: User, *, number: int) -> list[int]:
    """Return the fair turns of analyses in shadow mode: bulk, one per turn, behind the person's other bulk analyses."""
    current = _current_turn()
    if current is None:
        return list(range(number))
    queued = Analysis.with_shadow.active().filter(requested_by=by, state=Analysis.State.QUEUED, bulk=True)
    last = queued.order_by("-fair_turn").values_list("fair_turn", flat=True).first()
    first = current if last is None else max(current, last + 1)
    return list(range(first, first + number))


def queue_position(analysis: Analysis) -> int:
    """Return the position of an analysis in the queue, 1 for the next one; 0 if it is not queued."""
    if analysis.state != Analysis.State.QUEUED:
        return 0
    before, equal = Q(), Q()
    for name in Analysis.QUEUE_ORDER:
        value = getattr(analysis, name)
        before |= equal & Q(**{f"{name}__lt": value})
        equal &= Q(**{name: value})
    queued = Analysis.with_shadow.active().filter(state=Analysis.State.QUEUED)
    return queued.filter(before).count() + 1


def positions_of(analyses: Iterable[Analysis]) -> dict[UUID, int]:
    """Return the positions in the queue of those of some analyses that are queued, in one query for all of them."""
    queued = [analysis.pk for analysis in analyses if analysis.state == Analysis.State.QUEUED]
    keys = [Analysis._meta.pk.get_db_prep_value(key, connection) for key in queued]
    if not keys:
        return {}
    marks = ", ".join(["%s"] * len(keys))
    # The literals let SQLite use the partial index.
    sql = (
        "SELECT id, position FROM (SELECT id, row_number() OVER (ORDER BY fair_turn, bulk, queued_at, id) AS position "
        "FROM classifier_analysis WHERE state IN ('queued', 'running') AND state = 'queued') waiting "
        f"WHERE id IN ({marks})"
    )
    rows: Iterable[Any] = Analysis.with_shadow.raw(sql, keys)
    return {row.pk: row.position for row in rows}


def queue_positions() -> dict[UUID, int]:
    """Return the positions of the first `POSITIONS` queued analyses, in one query for a whole list of uploads."""
    queued = Analysis.with_shadow.active().filter(state=Analysis.State.QUEUED)
    ordered = queued.order_by(*Analysis.QUEUE_ORDER).values_list("pk", flat=True)[:POSITIONS]
    return {pk: position for position, pk in enumerate(ordered, start=1)}


def _current_turn() -> int | None:
    """Return the turn that workers claim from; None if nothing is queued or running."""
    turns = Analysis.with_shadow.active().values_list("fair_turn", flat=True)
    first = turns.filter(state=Analysis.State.QUEUED).order_by(*Analysis.QUEUE_ORDER).first()
    return turns.order_by("-fair_turn").first() if first is None else first
