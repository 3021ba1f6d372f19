"""The fields of rows that are jobs of a worker."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from classifier.models import lengths


class LeasedJob(models.Model):
    """A row that a worker claims under a lease. `classifier.services.leases` changes the rows."""

    class State(models.TextChoices):
        """The state in the queue."""

        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    ACTIVE: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    failure_message = models.CharField(max_length=lengths.SENTENCE, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_finished(self) -> bool:
        """Whether no worker will change the row anymore."""
        return self.state not in self.ACTIVE


def active_index(name: str) -> models.Index:
    """Return the index of the queued and running rows, in the order of their claims."""
    return models.Index(fields=("created_at",), name=name, condition=Q(state__in=("queued", "running")))


def running_has_lease(name: str) -> models.CheckConstraint:
    """Return the constraint that running rows, and no others, have a lease."""
    return models.CheckConstraint(
        name=name,
        condition=Q(state="running", lease_token__isnull=False, lease_expires_at__isnull=False)
        | (~Q(state="running") & Q(lease_token__isnull=True, lease_expires_at__isnull=True)),
    )
