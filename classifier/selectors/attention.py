"""Analyses of a person's own scans that need attention."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Scan, User
from classifier.models.scan_index import WAITING
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scan_list import ScanList

# Older scans are in the history. The limit keeps the query within the newest rows of the owner's index.
RECENT = timedelta(days=30)
# An analysis takes a second; one that waits longer waits for a worker.
LONG_WAIT = timedelta(minutes=5)
# More than a person goes through at once.
MAX_ROWS = 100


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
    scans = _scans(user).load(MAX_ROWS)
    states = [(scan, scan.current_analysis.state if scan.current_analysis else "") for scan in scans]
    return Attention(
        failed=[scan for scan, state in states if state == Analysis.State.FAILED],
        refused=[scan for scan, state in states if state == Analysis.State.SUCCEEDED],
        waiting=[scan for scan, state in states if state in Analysis.ACTIVE],
    )


def attention_count(user: User) -> int:
    """Return the number of scans that need attention; at most `MAX_ROWS`."""
    return _scans(user).count(MAX_ROWS)


def _scans(user: User) -> ScanList:
    now = timezone.now()
    return ScanList(
        user,
        Criteria(
            mine=True,
            since=now - RECENT,
            facets=(lambda facet: facet.result in (Analysis.State.FAILED, Outcome.NOT_BRAIN_MRI, WAITING),),
            attention_before=now - LONG_WAIT,
        ),
    )
