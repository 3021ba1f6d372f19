"""Jobs of the worker (`LeasedJob`): claim a row under a lease, end it, and recover the lost ones.

A claim is valid while the row holds its token. Every write checks the token in the same statement, so a worker whose
lease has passed to another one changes nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from classifier.models import lengths
from classifier.models.leased_job import LeasedJob

Row = TypeVar("Row", bound=LeasedJob)
QUEUED, RUNNING, FAILED = LeasedJob.State.QUEUED, LeasedJob.State.RUNNING, LeasedJob.State.FAILED


class ClaimLost(Exception):
    """The row of a claim has passed to another worker, has ended, or was deleted."""


@dataclass(slots=True)
class Claim(Generic[Row]):
    """A job that this worker does until the lease expires, and the token that proves it.

    Attributes:
        row: the job as it was before the claim.
    """

    row: Row
    token: UUID


@dataclass(frozen=True, slots=True)
class Leases(Generic[Row]):
    """The claims on the rows of one table.

    Attributes:
        model: the table.
        length: how long a claim holds without a sign of the worker.
        max_attempts: claims of a row at most.
    """

    model: type[Row]
    length: timedelta
    max_attempts: int

    @property
    def rows(self) -> QuerySet[Row]:
        """Every row."""
        return self.model._default_manager.all()

    def due(self, *, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows that wait, or whose worker died."""
        lost = Q(state=RUNNING, lease_expires_at__lt=now or timezone.now())
        return self.rows.filter(Q(state=QUEUED) | (lost & Q(attempts__lt=self.max_attempts)))

    def claim(
        self, *, now: datetime | None = None, order: Sequence[Any] = ("created_at", "pk"), **fields: Any
    ) -> Claim[Row] | None:
        """Claim the first row that is due; None if there is none.

        Args:
            now: the time; None takes the current one.
            order: the order of the rows, as for `order_by`; the oldest first by default.
            **fields: other values that the claim sets.
        """
        now = now or timezone.now()
        with transaction.atomic():
            row = self.due(now=now).order_by(*order).select_for_update(skip_locked=True).first()
            if row is None:
                return None
            token = uuid.uuid4()
            self.rows.filter(pk=row.pk).update(
                state=RUNNING,
                attempts=F("attempts") + 1,
                lease_token=token,
                lease_expires_at=now + self.length,
                **fields,
            )
        return Claim(row, token)

    def change(self, claim: Claim[Row], **fields: Any) -> bool:
        """Change a claimed row. Return True if the claim still held."""
        held = self.rows.filter(pk=claim.row.pk, state=RUNNING, lease_token=claim.token)
        return bool(held.update(**fields))

    def renew(self, claim: Claim[Row], **fields: Any) -> bool:
        """Change a claimed row and renew its lease. Return True if the claim still held."""
        return self.change(claim, lease_expires_at=timezone.now() + self.length, **fields)

    def release(self, claim: Claim[Row]) -> bool:
        """Queue the row again without counting the attempt: the worker stops. Return True if the claim still held."""
        return self.change(claim, state=QUEUED, attempts=F("attempts") - 1, lease_token=None, lease_expires_at=None)

    def end(self, claim: Claim[Row], **fields: Any) -> bool:
        """End a claimed row. Return True if the claim still held.

        Args:
            claim: the claim.
            **fields: the state it ends in, and the result.
        """
        return self.change(claim, finished_at=timezone.now(), lease_token=None, lease_expires_at=None, **fields)

    def fail(self, claim: Claim[Row], message: str, **fields: Any) -> bool:
        """End a claimed row with a sentence for people. Return True if the claim still held."""
        return self.end(claim, state=FAILED, failure_message=message[: lengths.SENTENCE], **fields)

    def fail_lost(self, message: str, *, now: datetime | None = None, **fields: Any) -> None:
        """Fail the rows whose last attempt was interrupted.

        Args:
            message: the sentence for people.
            now: the time; None takes the current one.
            **fields: other values that the rows get.
        """
        now = now or timezone.now()
        lost = Q(state=RUNNING, lease_expires_at__lt=now, attempts__gte=self.max_attempts)
        self._fail(lost, message, now, **fields)

    def fail_unclaimed(self, message: str, *, after: timedelta, now: datetime | None = None) -> None:
        """Fail the rows that no worker has claimed for a time."""
        now = now or timezone.now()
        self._fail(Q(state=QUEUED, created_at__lt=now - after), message, now)

    def _fail(self, which: Q, message: str, now: datetime, **fields: Any) -> None:
        self.rows.filter(which).update(
            state=FAILED, failure_message=message, finished_at=now, lease_token=None, lease_expires_at=None, **fields
        )
