"""Own scans on which two models disagree and that a person has read."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from classifier.models import Analysis, Diagnosis, Review, Scan, User
from classifier.models.scan_index import WITHHELD
from classifier.selectors.lists.criteria import Criteria
from classifier.selectors.lists.find import find_scans
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.scan import visible_scans

NEWEST = 300
"""Newest scans with a reading that are searched: the page shows recent ones."""


@dataclass(frozen=True, slots=True)
class ReadDisagreement:
    """A scan that both models have analyzed with different answers, and that a person has read.

    Attributes:
        scan: The scan.
        truth: What the newest diagnosis, else the newest review, says.
        first: The newest analysis of the first model.
        second: That of the second model.
    """

    scan: Scan
    truth: str
    first: Analysis
    second: Analysis


def read_disagreements(user: User, first: str, second: str) -> list[ReadDisagreement]:
    """Return the read scans, visible and open to the user, on which two models disagree; newest reading first.

    Args:
        user: The reader.
        first: Name of a model.
        second: Name of the other.
    """
    read = Criteria(open_only=True, facets=(lambda facet: bool(facet.readings) and facet.result != WITHHELD,))
    pairs = _different(find_scans(scope_of(user), read, limit=NEWEST), first, second)
    scans = visible_scans(user).with_keys(pairs)
    shown = {scan.pk: scan for scan in scans if not scan.closed and not scan.sample and scan.reviewed_finding}
    wanted = Analysis.objects.filter(pk__in=[key for scan in shown for key in pairs[scan]]).select_related("scan")
    analyses = {analysis.pk: analysis for analysis in wanted}
    return [
        ReadDisagreement(shown[key], shown[key].reviewed_finding, *(analyses[analysis] for analysis in pairs[key]))
        for key in _newest_reading_first(shown)
    ]


def _different(keys: list[UUID], first: str, second: str) -> dict[UUID, tuple[UUID, UUID]]:
    """Return the newest analysis of each of two models, by scan, where their answers differ."""
    answers: dict[UUID, dict[str, tuple[UUID, str]]] = defaultdict(dict)
    rows = Analysis.objects.filter(
        scan__in=keys, model_name__in=(first, second), state=Analysis.State.SUCCEEDED
    ).order_by("queued_at")
    for scan, model, key, finding, outcome in rows.values_list("scan_id", "model_name", "pk", "finding", "outcome"):
        answers[scan][model] = (key, finding or outcome)
    return {
        scan: (found[first][0], found[second][0])
        for scan, found in answers.items()
        if len(found) == 2 and found[first][1] != found[second][1]
    }


def _newest_reading_first(scans: dict[UUID, Scan]) -> list[UUID]:
    read: dict[UUID, datetime] = {}
    for rows in (Review.objects.filter(scan__in=scans), Diagnosis.objects.filter(scan__in=scans)):
        for key, at in rows.order_by().values_list("scan_id", "created_at"):
            read[key] = max(at, read.get(key, at))
    return sorted(read, key=lambda key: read[key], reverse=True)
