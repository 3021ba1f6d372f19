"""Requests for files of reports, which workers make (`classifier.services.report_archive`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from classifier.models import AcceptanceReport, ReportArchive, Scan, SignedReport, User
from classifier.models.report_archive import MAX_TITLE
from classifier.queue.notify import notify_archive_workers
from classifier.selectors.report_archive import report_archives, report_file_of
from classifier.selectors.report_selection import Selection
from classifier.services.errors import Conflict, Invalid
from classifier.services.idempotency import checked_idempotency_key

logger = structlog.get_logger(__name__)

Kind = ReportArchive.Kind
MAX_SCANS = 5000
NO_SCANS = "There is no scan to report on."
TOO_MANY_SCANS = (
    f"A ZIP file holds the reports of at most {MAX_SCANS:,} scans, and these are more. "
    "Narrow the selection and request several files."
)
MAX_ACTIVE_ZIPS = 3
# A program that asks for the reports of many scans at once has few of them made in the background.
MAX_ACTIVE_PDFS = 20
# Finished files of one person. They stay for a day, on the disk that uploads need.
MAX_KEPT_BYTES = 4 * 1000**3


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request of a program, which sends it again when it got no answer.

    Attributes:
        key: The idempotency key that the program chose; "" for none.
        sha256: Hash of what the program asked for; "" without a key.
    """

    key: str = ""
    sha256: str = ""


NO_KEY = ClientRequest()


def archive_of_request(owner: User, request: ClientRequest) -> ReportArchive | None:
    """Return the file that the owner requested with the same key before, if there is one.

    Raises:
        Invalid: if the key cannot be stored.
        Conflict: if the earlier request asked for something else.
    """
    if not checked_idempotency_key(request.key):
        return None
    archive = report_archives(owner).filter(idempotency_key=request.key).first()
    if archive is not None and archive.request_sha256 != request.sha256:
        raise Conflict(
            "This Idempotency-Key was used for another file. Use a new key for each request.",
            code="idempotency_key_reused",
        )
    return archive


def request_archive(owner: User, selection: Selection, *, request: ClientRequest = NO_KEY) -> ReportArchive:
    """Request the reports of scans as one ZIP file.

    Args:
        owner: who asks, and may fetch the file.
        selection: the scans that a selector found for `owner`. Sealed ones are left out of the file, too.
        request: of a program, which has called `archive_of_request` before.

    Raises:
        Invalid: if there is no scan, or more than `MAX_SCANS`.
        Conflict: if the owner already waits for `MAX_ACTIVE_ZIPS` files, or keeps `MAX_KEPT_BYTES` of them.
    """
    if len(selection.scan_ids) == len(selection.left_out):
        raise Invalid(NO_SCANS, code="no_scans")
    if len(selection.scan_ids) > MAX_SCANS:
        raise Invalid(TOO_MANY_SCANS, code="too_many_scans")
    kept = ReportArchive.objects.filter(owner=owner).aggregate(bytes=Sum("bytes"))["bytes"] or 0
    if kept > MAX_KEPT_BYTES:
        raise Conflict(
            f"Your finished files take more than {MAX_KEPT_BYTES // 1000**3} GB. "
            "Download and delete one of them under Reports, then request the next.",
            code="too_many_archives",
        )
    ids = [str(scan_id) for scan_id in selection.scan_ids]
    left_out = {str(scan_id): reason.value for scan_id, reason in selection.left_out.items()}
    try:
        return _requested(
            owner,
            kind=Kind.ZIP,
            title=selection.title,
            scan_ids=ids,
            left_out=left_out,
            total=len(ids),
            idempotency_key=request.key,
            request_sha256=request.sha256,
        )
    except IntegrityError:
        # The same request was faster.
        if (found := archive_of_request(owner, request)) is None:
            raise
        return found


def request_report_file(
    owner: User, scan: Scan, *, title: str, content_sha256: str, signed: SignedReport | None = None
) -> ReportArchive:
    """Request a report as a PDF file. Equal requests share one file.

    Args:
        owner: who asks, and may fetch the file.
        scan: as loaded by a selector for `owner`.
        title: Description of the contents, for people.
        content_sha256: the hash of what the report says now (`classifier.reports.html.content_hash`).
        signed: the signed report; None means the valid report of the scan.

    Raises:
        Conflict: if the owner already waits for `MAX_ACTIVE_PDFS` files.
    """
    if (found := report_file_of(owner, content_sha256)) is not None:
        return found
    try:
        return _requested(
            owner,
            kind=Kind.REPORT,
            title=title,
            scan_ids=[str(scan.pk)],
            total=1,
            content_sha256=content_sha256,
            signed_report_id=None if signed is None else signed.pk,
        )
    except IntegrityError:
        # An equal request was faster.
        if (found := report_file_of(owner, content_sha256)) is None:
            raise
        return found


def request_summary_file(owner: User, scan_ids: Sequence[UUID], *, title: str) -> ReportArchive:
    """Request the table of several scans as a PDF file.

    Args:
        owner: who asks, and may fetch the file.
        scan_ids: keys of scans that a selector found for `owner`. The table shows the first `SUMMARY_SCANS` of
            `classifier.reports.summary`, and says so if there are more.
        title: the heading.

    Raises:
        Conflict: if the owner already waits for `MAX_ACTIVE_PDFS` files.
    """
    ids = [str(scan_id) for scan_id in scan_ids]
    return _requested(owner, kind=Kind.SUMMARY, title=title, scan_ids=ids, total=1)


def request_acceptance_file(owner: User, report: AcceptanceReport) -> ReportArchive:
    """Request an acceptance report as a PDF file. One that the owner requested before and that did not fail is enough.

    Args:
        owner: A member of the team, who may fetch the file.
        report: The report, which never changes.

    Raises:
        Conflict: If the owner already waits for `MAX_ACTIVE_PDFS` files.
    """
    commissioning = report.commissioning
    earlier = ReportArchive.objects.filter(owner=owner, commissioning=commissioning)
    if found := earlier.exclude(state=ReportArchive.State.FAILED).first():
        return found
    title = f"Acceptance report: {commissioning.title}"
    return _requested(owner, kind=Kind.ACCEPTANCE, title=title, scan_ids=[], total=1, commissioning=commissioning)


def _requested(owner: User, *, kind: Kind, title: str, **fields: Any) -> ReportArchive:
    waiting = ReportArchive.objects.filter(owner=owner, state__in=ReportArchive.ACTIVE)
    waiting = waiting.filter(kind=Kind.ZIP) if kind == Kind.ZIP else waiting.exclude(kind=Kind.ZIP)
    limit = MAX_ACTIVE_ZIPS if kind == Kind.ZIP else MAX_ACTIVE_PDFS
    if waiting.count() >= limit:
        raise Conflict(
            f"You are already waiting for {limit} files. Request the next when one of them is ready.",
            code="too_many_archives",
        )
    with transaction.atomic():
        archive = ReportArchive.objects.create(
            owner=owner, kind=kind, title=title[:MAX_TITLE], time_zone=timezone.get_current_timezone_name(), **fields
        )
        transaction.on_commit(notify_archive_workers)
    logger.info("archive_requested", archive=str(archive.pk), kind=kind.value, owner=owner.pk, files=archive.total)
    return archive
