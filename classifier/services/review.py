"""Record what clinicians say about a scan: impressions, reviews, and confirmed diagnoses."""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.findings import FINDING_LABELS, READINGS
from classifier.models import (
    Analysis,
    Certainty,
    Diagnosis,
    Event,
    Impression,
    ReportAddendum,
    Review,
    Scan,
    SignedReport,
    User,
)
from classifier.models.review import MAX_COMMENT
from classifier.models.sealing import sealed_condition
from classifier.permissions import can_review
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed, Withheld

logger = structlog.get_logger(__name__)

REVIEW_REFUSED = "You don't have permission to review this scan."
SCAN_DELETED = "This scan was deleted. Nothing was recorded."


def record_impression(scan: Scan, *, by: User, finding: str, certainty: str, comment: str = "") -> Impression:
    """Record what the reader sees in a scan, before its result is opened to them. It is never changed.

    Raises:
        Invalid: if a field is missing or unknown.
        NotAllowed: if the reader cannot review the scan.
        Conflict: if the result is open to the reader, if they have recorded an impression of this scan, or if the
            scan was deleted.
    """
    values = _checked(scan, by=by, finding=finding, certainty=certainty, comment=comment)
    try:
        with transaction.atomic():
            _lock(scan)
            _require_no_open_result(scan, by=by)
            last = Impression.objects.filter(reader=by).order_by("-number").first()
            impression = Impression(
                scan=scan,
                reader=by,
                number=1 if last is None else last.number + 1,
                previous_hash="" if last is None else last.hash,
                created_at=timezone.now(),
                **values,
            )
            impression.hash = impression_hash(impression)
            impression.save()
            record_events([Event(kind=Kind.IMPRESSION_RECORDED, scan_id=scan.pk, actor=by)])
    except IntegrityError as error:
        raise Conflict(
            "You have already recorded an impression of this scan, or another one at the same moment. "
            "Reload the page to see it.",
            code="already_recorded",
        ) from error
    logger.info("impression_recorded", scan=str(scan.pk), by=by.pk)
    return impression


def impression_hash(impression: Impression) -> str:
    """Return the SHA-256 of an impression and of the hash before it, as 64 hexadecimal digits."""
    content = {
        "id": str(impression.pk),
        "scan": str(impression.scan_id),
        "reader": impression.reader_id,
        "number": impression.number,
        "finding": impression.finding,
        "certainty": impression.certainty,
        "comment": impression.comment,
        "created_at": impression.created_at.isoformat(),
        "previous_hash": impression.previous_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def first_broken_link(impressions: Iterable[Impression]) -> Impression | None:
    """Return the first impression that does not follow from the one before it; None if the chain is whole.

    Args:
        impressions: those of one reader, ordered by number. Impressions of deleted scans are gone: a gap in the
            numbers is accepted if the hash of the row itself is right.
    """
    before: Impression | None = None
    for impression in impressions:
        follows = before is not None and impression.number == before.number + 1
        if impression.hash != impression_hash(impression):
            return impression
        if follows and before is not None and impression.previous_hash != before.hash:
            return impression
        before = impression
    return None


def submit_review(
    analysis: Analysis,
    *,
    by: User,
    verdict: str,
    certainty: str,
    finding: str = "",
    comment: str = "",
    seen: int | None = None,
) -> Review:
    """Record a verdict on a succeeded analysis. A further one by the same reviewer revises it.

    Args:
        analysis: as loaded for `by`, so that a sealed one is known to be sealed.
        by: the reviewer.
        verdict: "agree" or "correct".
        certainty: a value of `Certainty`.
        finding: The corrected finding; one of `READINGS`. Ignored with "agree".
        comment: free text.
        seen: number of reviews of this analysis by this reviewer that the form showed; None skips the check.

    Raises:
        Invalid: if a field is missing or unknown, or a correction repeats the analysis.
        NotAllowed: if the reviewer cannot review the scan.
        Sealed: if the result is closed to the reviewer.
        Withheld: if the input check withholds the answer.
        Conflict: if the analysis has no result, a newer review exists than the form showed, or the scan was deleted.
    """
    scan = analysis.scan
    if verdict not in Review.Verdict.values:
        raise Invalid("Choose whether you agree with the result or correct it.", code="invalid_verdict")
    if analysis.sealed or analysis.closed:
        raise Sealed
    if analysis.withheld:
        raise Withheld
    if analysis.state != Analysis.State.SUCCEEDED:
        raise Conflict("This analysis has no result to review.", code="no_result")
    if verdict == Review.Verdict.AGREE:
        finding = analysis.finding
    elif finding == analysis.finding and finding:
        raise Invalid(
            f"The analysis already says {FINDING_LABELS[finding]}. Choose another finding, or agree.",
            code="same_finding",
        )
    values = _checked(
        scan, by=by, finding=finding, certainty=certainty, comment=comment, required=verdict == Review.Verdict.CORRECT
    )
    try:
        with transaction.atomic():
            _lock(scan)
            number = Review.objects.filter(analysis=analysis, reviewer=by).count()
            if seen is not None and seen != number:
                raise Conflict(
                    "You reviewed this analysis in another window. Send this review again to revise that one.",
                    code="stale",
                )
            review = Review.objects.create(
                scan=scan, analysis=analysis, reviewer=by, number=number + 1, verdict=verdict, **values
            )
            _update_reviewed_finding(scan)
            payload = {"verdict": verdict, "number": number + 1}
            event = Event(kind=Kind.REVIEW_CREATED, scan_id=scan.pk, analysis_id=analysis.pk, actor=by, payload=payload)
            record_events([event])
    except IntegrityError as error:
        raise Conflict("Two reviews arrived at the same moment. Reload the page to see the first.") from error
    logger.info("review_created", scan=str(scan.pk), analysis=str(analysis.pk), by=by.pk)
    return review


def record_diagnosis(
    scan: Scan,
    *,
    by: User,
    finding: str,
    source: str,
    confirmed_on: date,
    comment: str = "",
    seen: int | None = None,
) -> Diagnosis:
    """Record a confirmed diagnosis. A further one replaces it; both are kept.

    Args:
        scan: as loaded for `by`, so that a closed one is known to be closed.
        by: the person who records it.
        finding: one of `READINGS`.
        source: a value of `Diagnosis.Source`.
        confirmed_on: date of the histology or of the follow-up imaging.
        comment: free text.
        seen: number of diagnoses of this scan that the form showed; None skips the check.

    Raises:
        Invalid: if a field is missing or unknown, or the date is in the future.
        NotAllowed: if the person cannot review the scan.
        Sealed: if the result is closed to the person: a diagnosis would end their first read.
        Conflict: if there are more diagnoses than the form showed, or the scan was deleted.
    """
    if scan.closed:
        raise Sealed
    if source not in Diagnosis.Source.values:
        raise Invalid("Choose what confirmed the diagnosis.", code="invalid_source")
    if confirmed_on > timezone.localdate():
        raise Invalid("The date of the diagnosis is in the future.", code="invalid_date")
    values = _checked(scan, by=by, finding=finding, certainty=Certainty.HIGH, comment=comment)
    values.pop("certainty")
    with transaction.atomic():
        _lock(scan)
        if seen is not None and seen != Diagnosis.objects.filter(scan=scan).count():
            raise Conflict(
                "Another diagnosis was recorded in the meantime. Send this one again to replace it.", code="stale"
            )
        diagnosis = Diagnosis.objects.create(
            scan=scan, recorded_by=by, source=source, confirmed_on=confirmed_on, **values
        )
        _update_reviewed_finding(scan)
        record_events([Event(kind=Kind.DIAGNOSIS_RECORDED, scan_id=scan.pk, actor=by)])
    logger.info("diagnosis_recorded", scan=str(scan.pk), by=by.pk)
    return diagnosis


def delete_statements(scan_id: Any) -> None:
    """Delete what was said about a scan. Called after the scan's row is deleted: the triggers refuse it before."""
    for model in (Review, Impression, Diagnosis, ReportAddendum, SignedReport):
        rows = model.objects.filter(scan_id=scan_id)  # type: ignore[attr-defined]  # each model has its manager
        rows._raw_delete(rows.db)


def _checked(
    scan: Scan, *, by: User, finding: str, certainty: str, comment: str, required: bool = True
) -> dict[str, Any]:
    if not can_review(by, scan):
        raise NotAllowed(REVIEW_REFUSED)
    if finding not in READINGS and (finding or required):
        raise Invalid("Choose a finding.", code="invalid_finding")
    if certainty not in Certainty.values:
        raise Invalid("Choose how certain you are.", code="invalid_certainty")
    comment = comment.replace("\x00", "").replace("\r\n", "\n").strip()
    if len(comment) > MAX_COMMENT:
        raise Invalid(
            f"A comment has at most {MAX_COMMENT} characters; this one has {len(comment)}.", code="invalid_comment"
        )
    return {"finding": finding, "certainty": certainty, "comment": comment}


def _lock(scan: Scan) -> None:
    """Lock the scan's row, so that it is not deleted in the meantime."""
    if not Scan.objects.filter(pk=scan.pk).select_for_update().values_list("pk").first():
        raise Conflict(SCAN_DELETED, code="scan_deleted")


def _require_no_open_result(scan: Scan, *, by: User) -> None:
    """Raise `Conflict` if the reader may have seen the result: an impression would no longer be a first read."""
    if Impression.objects.filter(scan=scan, reader=by).exists():
        return  # The unique constraint answers.
    seen = Scan.objects.filter(pk=scan.pk, current_analysis__state=Analysis.State.SUCCEEDED)
    if seen.exclude(sealed_condition(by)).exists():
        raise Conflict("The result of this scan is already open to you. Record a review instead.", code="not_sealed")


def _update_reviewed_finding(scan: Scan) -> None:
    diagnosis = Diagnosis.objects.filter(scan=scan).order_by("-created_at", "-pk").first()
    said: Diagnosis | Review | None = diagnosis
    said = said or Review.objects.filter(scan=scan).order_by("-created_at", "-pk").first()
    Scan.objects.filter(pk=scan.pk).update(reviewed_finding="" if said is None else said.finding)
