"""Write reports: save drafts, sign them, and add to signed ones."""

import hashlib
import uuid
from collections.abc import Mapping

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.events import Kind, record_events
from classifier.models import Analysis, Event, Report, ReportAddendum, ReportExplanation, Scan, SignedReport, User
from classifier.models.report import MAX_ADDENDUM
from classifier.permissions import can_review
from classifier.selectors.report import addendum_hash, draft_of, own_report_of_result
from classifier.selectors.report_facts import canonical_json, facts_hash, scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed
from classifier.services.report_template import checked_texts

logger = structlog.get_logger(__name__)

REPORT_REFUSED = "You don't have permission to write a report about this scan."
SIGNED = "This report is signed and is never changed. Add an addendum instead."
SCAN_DELETED = "This scan was deleted. Nothing was stored."
STALE = "You saved this report in another window. Reload the page to see that version; your text here is not stored."


def save_draft(scan: Scan, *, by: User, texts: Mapping[str, str], seen: int | None = None) -> Report:
    """Store the texts of the author's draft about a scan; the first save creates it.

    Args:
        scan: as loaded for `by`, so that a sealed one is known to be sealed.
        by: the author.
        texts: a text for each of `TEXTS`.
        seen: version of the draft that the form showed, 0 for none; None skips the check.

    Raises:
        Invalid: if a text is too long.
        NotAllowed: if the person cannot review the scan.
        Sealed: if the result is closed to the person.
        Conflict: if the draft changed since the form showed it, the person has signed a report about this result, or
            the scan was deleted.
    """
    require_open(scan, by=by)
    values = checked_texts(texts)
    try:
        with transaction.atomic():
            _lock(scan)
            report = draft_of(by, scan)
            signed = own_report_of_result(by, scan) if report is None else None
            if signed is not None:
                raise Conflict(
                    f"You have signed report {signed.number} about this result. Add an addendum to it instead.",
                    code="signed",
                )
            return _save(report or Report(scan=scan, author=by, version=0), values, seen=seen)
    except IntegrityError as error:
        raise Conflict(STALE, code="stale") from error


def update_report(report: Report, *, by: User, texts: Mapping[str, str], seen: int | None = None) -> Report:
    """Store the texts of a report that exists. Its author only.

    Raises:
        Invalid: if a text is too long.
        NotAllowed: if the person is not the author.
        Conflict: if the report is signed, changed since the caller read it, or was deleted with its scan.
    """
    if report.author_id != by.pk:
        raise NotAllowed("Only the author of a report can change it.")
    values = checked_texts({**report.texts, **texts})
    with transaction.atomic():
        return _save(locked_draft(report), values, seen=seen)


def delete_draft(report: Report, *, by: User) -> None:
    """Delete a draft. Its author only. Raise `Conflict` for a signed report."""
    if report.author_id != by.pk:
        raise NotAllowed("Only the author of a report can change it.")
    with transaction.atomic():
        locked_draft(report).delete()


def sign_report(report: Report, *, by: User, seen: int, seen_facts: str) -> SignedReport:
    """Sign a draft: store its texts and the facts of the scan as they are now, under one hash. It is never changed.

    Args:
        report: the author's draft.
        by: the author.
        seen: version of the draft that the page showed.
        seen_facts: `facts_hash` of the facts that the page showed.

    Raises:
        Invalid: if the draft has no impression.
        NotAllowed: if the person is not the author or no longer reviews the scan.
        Sealed: if the result is closed to the person.
        Conflict: if the report is signed already, the draft or the facts changed since the page showed them, an
            analysis is under way, or the scan was deleted.
    """
    if report.author_id != by.pk:
        raise NotAllowed("Only the author of a report can sign it.")
    with transaction.atomic():
        draft = locked_draft(report)
        try:
            scan = get_scan(by, draft.scan_id)
        except Scan.DoesNotExist as error:
            raise NotAllowed(REPORT_REFUSED) from error
        require_open(scan, by=by)
        if scan.closed:
            # Without a result, but the report would leave out what others have said.
            raise Sealed
        if draft.version != seen:
            raise Conflict("The draft was saved in another window. Read it again before you sign.", code="stale")
        if not draft.impression:
            raise Invalid("Write an impression before you sign the report.", code="no_impression")
        if scan.current_analysis is not None and scan.current_analysis.state in Analysis.ACTIVE:
            raise Conflict("The analysis has not finished. Sign the report once it has a result.", code="pending")
        facts = scan_facts(by, scan)
        if facts_hash(facts) != seen_facts:
            raise Conflict(
                "The result or its reviews changed since this page was opened. Read the report again, then sign.",
                code="stale",
            )
        section = ReportExplanation.objects.filter(report=draft).first()
        if section is not None and section.analysis_id != scan.current_analysis_id:
            raise Conflict(
                "The explanation in the report is about an earlier analysis. Remove it, or choose another one.",
                code="earlier_analysis",
            )
        signed = SignedReport(
            pk=draft.pk,
            number=_number(draft.pk),
            scan=scan,
            signer=by,
            signer_name=by.display_name,
            signed_at=timezone.now(),
        )
        signed.content = canonical_json(
            {
                "format": SignedReport.CONTENT_FORMAT,
                "id": str(signed.pk),
                "number": signed.number,
                "signer": signed.signer_name,
                "signed_at": signed.signed_at.isoformat(),
                "texts": draft.texts,
                "explanation": None if section is None else section.content(),
                "facts": facts,
            }
        )
        signed.sha256 = hashlib.sha256(signed.content.encode()).hexdigest()
        signed.save(force_insert=True)
        Report.objects.filter(pk=draft.pk).update(state=Report.State.SIGNED)
        payload = {"report": str(signed.pk), "sha256": signed.sha256}
        record_events([Event(kind=Kind.REPORT_SIGNED, scan_id=scan.pk, actor=by, payload=payload)])
    logger.info("report_signed", report=str(signed.pk), scan=str(signed.scan_id), by=by.pk)
    return signed


def add_addendum(report: SignedReport, *, by: User, text: str, seen: int | None = None) -> ReportAddendum:
    """Add a text to a signed report. It is never changed.

    Args:
        report: a signed report of a scan that is open to `by`.
        by: the author of the addendum: anyone who can review the scan.
        text: The addendum.
        seen: number of addenda that the page showed; None skips the check.

    Raises:
        Invalid: if the text is missing or too long.
        NotAllowed: if the person cannot review the scan.
        Conflict: if another addendum was added in the meantime, or the scan was deleted.
    """
    text = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not text:
        raise Invalid("Write the text of the addendum.", code="empty")
    if len(text) > MAX_ADDENDUM:
        raise Invalid(
            f"An addendum has at most {MAX_ADDENDUM} characters; this one has {len(text)}.", code="text_too_long"
        )
    if not can_review(by, report.scan):
        raise NotAllowed(REPORT_REFUSED)
    try:
        with transaction.atomic():
            _lock(report.scan)
            last = ReportAddendum.objects.filter(report=report).order_by("-number").first()
            number = 0 if last is None else last.number
            if seen is not None and seen != number:
                raise Conflict("Another addendum was added in the meantime. Read it, then add yours.", code="stale")
            addendum = ReportAddendum(
                scan_id=report.scan_id,
                report=report,
                number=number + 1,
                author=by,
                author_name=by.display_name,
                text=text,
                created_at=timezone.now(),
                previous_hash=report.sha256 if last is None else last.hash,
            )
            addendum.hash = addendum_hash(addendum)
            addendum.save(force_insert=True)
            payload = {"report": str(report.pk), "number": addendum.number}
            record_events([Event(kind=Kind.REPORT_ADDENDUM, scan_id=report.scan_id, actor=by, payload=payload)])
    except IntegrityError as error:
        raise Conflict("Another addendum was added in the meantime. Read it, then add yours.", code="stale") from error
    logger.info("report_addendum", report=str(report.pk), by=by.pk)
    return addendum


def require_open(scan: Scan, *, by: User) -> None:
    """Raise `NotAllowed` if a person cannot review a scan, and `Sealed` if its result is closed to them."""
    if not can_review(by, scan):
        raise NotAllowed(REPORT_REFUSED)
    if scan.sealed:
        raise Sealed


def _lock(scan: Scan) -> None:
    """Lock the scan's row, so that it is not deleted in the meantime."""
    if not Scan.objects.filter(pk=scan.pk).select_for_update().values_list("pk").first():
        raise Conflict(SCAN_DELETED, code="scan_deleted")


def locked_draft(report: Report) -> Report:
    """Return the row as it is now, locked. Raise `Conflict` if it is signed or gone."""
    row = Report.objects.select_for_update().filter(pk=report.pk).first()
    if row is None:
        raise Conflict("This report was deleted, alone or with its scan.", code="report_deleted")
    if row.state == Report.State.SIGNED:
        raise Conflict(SIGNED, code="signed")
    return row


def _save(report: Report, values: Mapping[str, str], *, seen: int | None) -> Report:
    if seen is not None and seen != report.version:
        raise Conflict(STALE, code="stale")
    for name, text in values.items():
        setattr(report, name, text)
    report.version += 1
    report.save()
    return report


def _number(report_id: uuid.UUID) -> str:
    """Return a number that is short enough to be typed: 48 of the identifier's random bits."""
    digits = report_id.hex[:12].upper()
    return f"R-{digits[:4]}-{digits[4:8]}-{digits[8:]}"
