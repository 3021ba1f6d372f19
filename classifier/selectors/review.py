"""Reads of impressions, reviews, and diagnoses, scoped to a person."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from classifier.events import Kind
from classifier.findings import FINDING_LABELS
from classifier.models import Analysis, Diagnosis, Event, Impression, Review, Scan, User
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import Scope, scope_of
from classifier.selectors.scan import open_condition, scan_analyses
from classifier.wording import STATE_LABELS, mark, short_sentence

MAX_UNREAD = 100
"""Unread scans are counted up to this number: a person who never reviews anything has all of them unread."""


@dataclass(frozen=True, slots=True)
class Statements:
    """Clinicians' statements about a scan, each list oldest first."""

    impressions: list[Impression] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)


def statements_of(user: User, scan: Scan) -> Statements:
    """Return what was said about a visible scan, in three queries; nothing while its result is closed to `user`."""
    about = Q(scan=scan) & open_condition(user, path="scan__")
    return Statements(
        impressions=list(Impression.objects.filter(about).select_related("reader")),
        reviews=list(Review.objects.filter(about).select_related("reviewer")),
        diagnoses=list(Diagnosis.objects.filter(about).select_related("recorded_by")),
    )


def own_last_review(user: User, analysis: Analysis) -> Review | None:
    """Return the newest review of an analysis by `user`."""
    return Review.objects.filter(analysis=analysis, reviewer=user).order_by("-number").first()


def own_impression(user: User, scan: Scan) -> Impression | None:
    """Return the impression of a scan by `user`."""
    return Impression.objects.filter(scan=scan, reader=user).first()


def own_last_diagnosis(user: User, scan: Scan) -> Diagnosis | None:
    """Return the newest diagnosis of a scan that `user` recorded."""
    return Diagnosis.objects.filter(scan=scan, recorded_by=user).order_by("-created_at", "-pk").first()


def unread_scans(scope: Scope) -> ScanList:
    """Return the visible scans with a result of which the person has recorded neither impression nor review.

    Scans whose result is closed to the person are among them.
    """
    return ScanList(scope, Criteria(unread=True))


def unread_count(scope: Scope) -> int:
    """Return the number of unread scans; of more than `MAX_UNREAD`, one more than that."""
    return unread_scans(scope).count(MAX_UNREAD + 1)


def next_unread(user: User, *, after: Scan | None = None, backwards: bool = False) -> Scan | None:
    """Return the unread scan that follows `after`, or precedes it; None if there is no other.

    Args:
        user: the reader.
        after: the scan that is left; None for the oldest unread scan.
        backwards: whether to look for older scans.

    The last scan is followed by the first, so that a scan that was passed over comes again.
    """
    scans = unread_scans(scope_of(user))
    if after is None:
        return next(iter(scans.load(1, oldest=True)), None)
    place = Place(after.created_at, after.pk, newer=not backwards)
    # The second scan, if the first is the one that is left.
    found = scans.load(1, place=place) or scans.load(2, oldest=not backwards)
    return next((scan for scan in found if scan.pk != after.pk), None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a scan's timeline.

    Attributes:
        at: when it happened.
        who: display name of the person; "" for the network.
        text: The event, as a sentence without a period.
        mark: name of the mark beside it; "" for none.
        comment: The person's comment.
    """

    at: datetime
    who: str
    text: str
    mark: str = ""
    comment: str = ""


def timeline(user: User, scan: Scan, *, statements: Statements) -> list[Entry]:
    """Return what happened to a visible scan, oldest first, in two queries.

    Args:
        user: the person who asks. A result that is closed to them is not among it.
        scan: as loaded for `user`.
        statements: The result of `statements_of`.
    """
    uploaded = Entry(scan.created_at, scan.owner.display_name, "Uploaded")
    # Set apart, because the first analysis is requested in the same moment as the upload.
    return [uploaded, *sorted([*_analyses(user, scan), *_said(statements)], key=lambda entry: entry.at)]


def _analyses(user: User, scan: Scan) -> Iterator[Entry]:
    ended = Event.objects.filter(scan_id=scan.pk, kind=Kind.ANALYSIS_CANCELLED).select_related("actor")
    cancelled_by = {event.analysis_id: event.actor for event in ended}
    for analysis in scan_analyses(user, scan):
        requester = analysis.requested_by
        text = f"Analysis by {analysis.model_name} requested"
        yield Entry(analysis.queued_at, requester.display_name if requester else "Deleted account", text)
        if analysis.finished_at is None:
            continue
        actor = cancelled_by.get(analysis.pk)
        text = "Result arrived, sealed" if analysis.sealed else short_sentence(analysis)
        if analysis.state == Analysis.State.CANCELLED:
            text = f"Analysis {STATE_LABELS[analysis.state].lower()}"
        yield Entry(analysis.finished_at, actor.display_name if actor else "", text, mark(analysis))


def _said(statements: Statements) -> Iterator[Entry]:
    for impression in statements.impressions:
        text = f"First read: {FINDING_LABELS[impression.finding]}, {certainty_words(impression.certainty)}"
        yield Entry(impression.created_at, impression.reader.display_name, text, impression.finding, impression.comment)
    for review in statements.reviews:
        text = f"{verdict_words(review)}, {certainty_words(review.certainty)}"
        yield Entry(review.created_at, review.reviewer.display_name, text, review.finding, review.comment)
    for diagnosis in statements.diagnoses:
        source = f"{diagnosis.get_source_display().lower()}, {diagnosis.confirmed_on:%-d %b %Y}"
        text = f"Confirmed diagnosis: {FINDING_LABELS[diagnosis.finding]} ({source})"
        who = diagnosis.recorded_by.display_name
        yield Entry(diagnosis.created_at, who, text, diagnosis.finding, diagnosis.comment)


def verdict_words(review: Review) -> str:
    """Return a review in words: "Agreed: glioma", "Corrected to glioma", or "Agreed"."""
    label = FINDING_LABELS.get(review.finding, "")
    verdict = f"Corrected to {label}" if review.verdict == Review.Verdict.CORRECT else f"Agreed: {label}"
    if review.verdict == Review.Verdict.AGREE and not label:
        verdict = "Agreed"
    return f"{verdict} (revised)" if review.number > 1 else verdict


def certainty_words(certainty: str) -> str:
    """Return "low certainty", "medium certainty", or "high certainty"."""
    return f"{certainty} certainty"
