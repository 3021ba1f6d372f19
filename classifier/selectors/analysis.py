"""Reads of analyses, scoped to a person, and of the queue."""

from uuid import UUID

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from classifier.findings import FINDINGS
from classifier.models import Analysis, ClassMaps, User
from classifier.selectors.scan import visible_scans
from classifier.selectors.waiting import finish_watch

# Who stands farther back is told "queued": the number would change faster than it could be read.
POSITIONS = 1000


def get_analysis(user: User, analysis_id: UUID) -> Analysis:
    """One analysis of a visible scan. Raises `Analysis.DoesNotExist` for any other."""
    scans = visible_scans(user).values("pk")
    return Analysis.objects.select_related("scan").get(pk=analysis_id, scan__in=scans)


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


def wait_until_finished(analysis: Analysis, *, seconds: float) -> Analysis:
    """Return the analysis as soon as it is finished, or as it stands after `seconds`.

    Raises:
        Analysis.DoesNotExist: if it is deleted meanwhile.
    """
    if not analysis.is_finished:
        finish_watch.wait(analysis.pk, seconds=seconds)
    analysis.refresh_from_db()
    return analysis


def class_maps(analysis: Analysis) -> NDArray[np.float16]:
    """The class activation maps of a succeeded analysis, float16 `(rows, columns, 4)`.

    Raises:
        ClassMaps.DoesNotExist: if the analysis has none.
    """
    stored = ClassMaps.objects.get(analysis=analysis)
    shape = (stored.rows, stored.columns, len(FINDINGS))
    return np.frombuffer(bytes(stored.data), dtype="<f2").reshape(shape)
