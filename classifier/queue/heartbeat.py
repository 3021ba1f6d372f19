"""Worker processes report themselves: that they live, and how the work goes."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from classifier.models import WorkerProcess

# A worker reports every few seconds; one that missed several reports is dead, stopped, or cut off from the database.
ALIVE_SECONDS = 20.0
# Long enough to look into what happened over night.
KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports: constant while the process runs."""

    id: uuid.UUID
    host: str
    pid: int
    model_name: str
    model_version: str
    engine: str
    started_at: datetime


def report(identity: Identity, *, measurements: dict[str, Any]) -> None:
    """Store that the process lives now, with its measurements since its start."""
    now = timezone.now()
    changed = WorkerProcess.objects.filter(pk=identity.id).update(seen_at=now, measurements=measurements)
    if changed:
        return
    WorkerProcess.objects.filter(seen_at__lt=now - KEPT).delete()
    WorkerProcess.objects.create(
        id=identity.id,
        host=identity.host,
        pid=identity.pid,
        model_name=identity.model_name,
        model_version=identity.model_version,
        engine=identity.engine,
        started_at=identity.started_at,
        seen_at=now,
        measurements=measurements,
    )


def sign_off(identity: Identity) -> None:
    """The process ends in order: it is not waited for."""
    WorkerProcess.objects.filter(pk=identity.id).delete()
