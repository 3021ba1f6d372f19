"""Heartbeats of worker processes, with their measurements."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from classifier.models import WorkerProcess

# In seconds. A worker sends a heartbeat every 5 s. After several missed ones it is dead, stopped, or without database.
HEARTBEAT_TIMEOUT = 20.0
# Rows of dead workers stay for a day, so that a failure overnight can be investigated.
RETENTION = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a worker process; constant while it runs."""

    id: uuid.UUID
    host: str
    pid: int
    model_name: str
    model_version: str
    engine: str
    started_at: datetime


def heartbeat(identity: Identity, *, measurements: dict[str, Any]) -> None:
    """Record that the process is alive, with its measurements since its start."""
    now = timezone.now()
    changed = WorkerProcess.objects.filter(pk=identity.id).update(heartbeat_at=now, measurements=measurements)
    if changed:
        return
    WorkerProcess.objects.filter(heartbeat_at__lt=now - RETENTION).delete()
    WorkerProcess.objects.create(
        id=identity.id,
        host=identity.host,
        pid=identity.pid,
        model_name=identity.model_name,
        model_version=identity.model_version,
        engine=identity.engine,
        started_at=identity.started_at,
        heartbeat_at=now,
        measurements=measurements,
    )


def deregister(identity: Identity) -> None:
    """Remove a process that shuts down, so that it does not count as alive until its timeout."""
    WorkerProcess.objects.filter(pk=identity.id).delete()
