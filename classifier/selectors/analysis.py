"""Reads of analyses, scoped to the user."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from classifier.findings import FINDINGS
from classifier.models import Analysis, ClassMaps, User
from classifier.queue.waiting import completion_waiter
from classifier.selectors.scan import visible_condition


def get_analysis(user: User, analysis_id: UUID) -> Analysis:
    """Return an analysis of a visible scan. Raise `Analysis.DoesNotExist` for any other."""
    visible = visible_condition(user, path="scan__")
    return Analysis.objects.for_reader(user).select_related("scan").get(visible, pk=analysis_id)


def wait_until_finished(analysis: Analysis, *, seconds: float) -> Analysis:
    """Return the analysis as soon as it is finished, or in its current state after `seconds`.

    Raises:
        Analysis.DoesNotExist: If it is deleted in the meantime.
    """
    if not analysis.is_finished:
        completion_waiter.wait(analysis.pk, seconds=seconds)
    analysis.refresh_from_db()
    return analysis


def class_maps(analysis: Analysis) -> NDArray[np.float16]:
    """Return the class activation maps of a succeeded analysis, float16 `(rows, columns, 4)`.

    Raises:
        ClassMaps.DoesNotExist: If the analysis has none.
    """
    stored = ClassMaps.objects.get(analysis=analysis)
    shape = (stored.rows, stored.columns, len(FINDINGS))
    return np.frombuffer(bytes(stored.data), dtype="<f2").reshape(shape)
