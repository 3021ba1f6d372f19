"""The rows of the history table as plain text, ready for its template."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from classifier.findings import FINDING_LABELS, Outcome
from classifier.links import url_of
from classifier.models import Analysis, Scan, User
from classifier.wording import mark, probability, short_sentence, withheld


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan as the table shows it. Text is not yet escaped.

    Attributes:
        url: its page.
        thumbnail: URL of its thumbnail.
        reference: the patient reference, or "".
        short_id: stands in place of a missing reference.
        is_sample: whether it was made from a bundled sample.
        mark: name of the mark of the result.
        sentence: the result in words.
        reviewed: what a review or a diagnosis says, if it is something else; "" otherwise.
        failure: why the analysis failed, or "".
        probability: of the finding; "" without one.
        uploaded_at: time of the upload for programs, in the current time zone.
        uploaded: the same for people.
        owner: the uploader.
        team: name of the team, or "".
    """

    url: str
    thumbnail: str
    reference: str
    short_id: str
    is_sample: bool
    mark: str
    sentence: str
    reviewed: str
    failure: str
    probability: str
    uploaded_at: str
    uploaded: str
    owner: str
    team: str


def scan_rows(scans: Iterable[Scan], user: User) -> list[ScanRow]:
    """Return the rows of scans that were loaded for a user."""
    zone = timezone.get_current_timezone()
    rows = []
    for scan in scans:
        analysis, at = scan.current_analysis, scan.created_at.astimezone(zone)
        reviewed = scan.reviewed_finding
        if analysis is not None and reviewed == analysis.finding:
            reviewed = ""
        rows.append(
            ScanRow(
                url=scan.get_absolute_url(),
                thumbnail=url_of("web:scan_thumbnail", scan.pk),
                reference=scan.patient_reference,
                short_id=scan.short_id,
                is_sample=bool(scan.sample),
                mark=mark(analysis),
                sentence=short_sentence(analysis),
                reviewed=FINDING_LABELS.get(reviewed, reviewed),
                failure=_failure(analysis),
                probability=_probability(analysis),
                uploaded_at=at.isoformat(),
                uploaded=f"{at.day} {at:%b %Y, %H:%M}",
                owner="You" if scan.owner_id == user.pk else scan.owner.display_name,
                team="" if scan.team is None else scan.team.name,
            )
        )
    return rows


def _failure(analysis: Analysis | None) -> str:
    return analysis.failure_message if analysis is not None and analysis.state == Analysis.State.FAILED else ""


def _probability(analysis: Analysis | None) -> str:
    if analysis is None or analysis.outcome != Outcome.CLASSIFIED or withheld(analysis):
        return ""
    return probability(analysis.confidence or 0.0)
