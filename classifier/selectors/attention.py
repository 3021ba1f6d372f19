"""Analyses of a person's own scans that need attention."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Dismissal, Scan, User
from classifier.models.scan import ScanQuerySet
from classifier.models.sealing import OPEN
from classifier.selectors.scan import visible_scans

# Older scans are in the history. The limit keeps the query within the newest rows of the owner's index.
RECENT = timedelta(days=30)
# An analysis takes a second; one that waits longer waits for a worker.
LONG_WAIT = timedelta(minutes=5)
# More than a person goes through at once.
MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class Attention:
    """Scans that need attention, newest first; at most `MAX_ROWS` of all kinds together.

    Attributes:
        failed: their analysis failed.
        refused: the network saw no brain MR image. Sealed results are not among them.
        waiting: their analysis has waited longer than `LONG_WAIT`.
    """

    failed: list[Scan]
    refused: list[Scan]
    waiting: list[Scan]

    @property
    def total(self) -> int:
        """Number of scans."""
        return len(self.failed) + len(self.refused) + len(self.waiting)


def attention(user: User) -> Attention:
    """Return the own recent scans of `user` that need attention and were not dismissed."""
    scans = list(_scans(user)[:MAX_ROWS])
    states = [(scan, scan.current_analysis.state if scan.current_analysis else "") for scan in scans]
    return Attention(
        failed=[scan for scan, state in states if state == Analysis.State.FAILED],
        refused=[scan for scan, state in states if state == Analysis.State.SUCCEEDED],
        waiting=[scan for scan, state in states if state in Analysis.ACTIVE],
    )


def attention_count(user: User) -> int:
    """Return the number of scans that need attention; at most `MAX_ROWS`."""
    return _scans(user)[:MAX_ROWS].count()


def _scans(user: User) -> ScanQuerySet:
    now = timezone.now()
    failed = Q(current_analysis__state=Analysis.State.FAILED)
    refused = OPEN & Q(current_analysis__outcome=Outcome.NOT_BRAIN_MRI)
    waiting = Q(current_analysis__state__in=Analysis.ACTIVE, current_analysis__queued_at__lt=now - LONG_WAIT)
    dismissed = Dismissal.objects.filter(user=user, analysis=OuterRef("current_analysis"))
    recent = visible_scans(user).filter(owner=user, created_at__gte=now - RECENT)
    return recent.filter(failed | refused | waiting).exclude(Exists(dismissed))
