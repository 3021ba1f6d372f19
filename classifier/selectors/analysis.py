"""Reads of analyses, scoped to a person, and of the queue."""

import time
from uuid import UUID

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from classifier.findings import FINDINGS
from classifier.models import Analysis, ClassMaps, User
from classifier.selectors.scan import visible_scans

# A row's primary key is read this often while a client waits: a result is late by half of it on average.
WAIT_STEP_SECONDS = 0.1


def get_analysis(user: User, analysis_id: UUID) -> Analysis:
    """One analysis of a visible scan. Raises `Analysis.DoesNotExist` for any other."""
    scans = visible_scans(user).values("pk")
    return Analysis.objects.select_related("scan").get(pk=analysis_id, scan__in=scans)


def queue_position(analysis: Analysis) -> int:
    """How many queued analyses start before this one, plus one. 0 when it is not queued."""
    if analysis.state != Analysis.State.QUEUED:
        return 0
    before = Q(queued_at__lt=analysis.queued_at) | Q(queued_at=analysis.queued_at, pk__lt=analysis.pk)
    return Analysis.objects.filter(before, state=Analysis.State.QUEUED).count() + 1


def wait_until_finished(analysis: Analysis, *, seconds: float) -> Analysis:
    """Return the analysis as soon as it is finished, or as it stands after `seconds`.

    Raises:
        Analysis.DoesNotExist: if it is deleted meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not analysis.is_finished and time.monotonic() < deadline:
        time.sleep(WAIT_STEP_SECONDS)
        analysis.refresh_from_db(fields=["state"])
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
