"""Own scans on which two models disagree and that a person has read."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from classifier.models import Analysis, Diagnosis, Review, Scan, User
from classifier.selectors.scan import open_rows, visible_scans

NEWEST = 500
"""Newest reviews and diagnoses that are searched: the page shows recent ones."""


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
    reviews = open_rows(Review.objects.all(), user).order_by("-created_at")
    diagnoses = open_rows(Diagnosis.objects.all(), user).order_by("-created_at")
    newest = [
        *reviews.values_list("created_at", "scan_id")[:NEWEST],
        *diagnoses.values_list("created_at", "scan_id")[:NEWEST],
    ]
    keys = list(dict.fromkeys(key for _, key in sorted(newest, reverse=True)))
    scans = {scan.pk: scan for scan in visible_scans(user).with_keys(keys) if not scan.closed and not scan.sample}
    answers: dict[UUID, dict[str, Analysis]] = defaultdict(dict)
    rows = Analysis.objects.filter(
        scan__in=list(scans)[:NEWEST], model_name__in=(first, second), state=Analysis.State.SUCCEEDED
    )
    for row in rows.select_related("scan").order_by("queued_at"):
        answers[row.scan_id][row.model_name] = row
    found = []
    for key in keys:
        pair = answers.get(key, {})
        if key in scans and len(pair) == 2 and _said(pair[first]) != _said(pair[second]):
            scan = scans[key]
            if scan.reviewed_finding:
                found.append(ReadDisagreement(scan, scan.reviewed_finding, pair[first], pair[second]))
    return found


def _said(analysis: Analysis) -> str:
    return analysis.finding or analysis.outcome
