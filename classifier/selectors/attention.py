"""A person's own scans and webhooks that need attention."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from classifier.findings import Outcome
from classifier.models import Analysis, Scan, User, Webhook
from classifier.models.scan_index import WAITING
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.webhook import failing_webhook_count, failing_webhooks

# Older scans are in the history. The limit keeps the query within the newest rows of the owner's index.
RECENT = timedelta(days=30)
# An analysis takes a second; one that waits longer waits for a worker.
LONG_WAIT = timedelta(minutes=5)
# More than a person goes through at once.
MAX_ROWS = 100


@dataclass(frozen=True, slots=True)
class Attention:
    """Scans that need attention, newest first, at most `MAX_ROWS` of all kinds together, and failing webhooks.

    Attributes:
        failed: Scans whose analysis failed.
        refused: Scans that the network found not to be brain MR images. Sealed results are not among them.
        waiting: Scans whose analysis has waited longer than `LONG_WAIT`.
        webhooks: Webhooks that fail.
        is_cut: Whether there are more scans.
    """

    failed: list[Scan]
    refused: list[Scan]
    waiting: list[Scan]
    webhooks: list[Webhook]
    is_cut: bool = False

    @property
    def scans(self) -> int:
        """Number of scans."""
        return len(self.failed) + len(self.refused) + len(self.waiting)


def attention(user: User) -> Attention:
    """Return the own recent scans of `user` that need attention and were not dismissed, and the failing webhooks."""
    scans = _scans(scope_of(user)).load(MAX_ROWS + 1)
    states = [(scan, scan.current_analysis.state if scan.current_analysis else "") for scan in scans[:MAX_ROWS]]
    return Attention(
        failed=[scan for scan, state in states if state == Analysis.State.FAILED],
        refused=[scan for scan, state in states if state == Analysis.State.SUCCEEDED],
        waiting=[scan for scan, state in states if state in Analysis.ACTIVE],
        webhooks=failing_webhooks(user),
        is_cut=len(scans) > MAX_ROWS,
    )


def attention_count(scope: Scope) -> int:
    """Return the number of scans and webhooks that need attention; of more than `MAX_ROWS` scans, one more."""
    return _scans(scope).count(MAX_ROWS + 1) + failing_webhook_count(scope.user)


def _scans(scope: Scope) -> ScanList:
    now = timezone.now()
    return ScanList(
        scope,
        Criteria(
            mine=True,
            since=now - RECENT,
            facets=(lambda facet: facet.result in (Analysis.State.FAILED, Outcome.NOT_BRAIN_MRI, WAITING),),
            attention_before=now - LONG_WAIT,
        ),
    )
